"""Every case that docs/websocket.md names exists, and every wire case of WebSocket is of a clause that has a row there."""
import re
import sys

sys.dont_write_bytecode = True

from titles import ROOT, names_of_tests, titles_of  # noqa: E402

PAGE = ROOT / "docs" / "websocket.md"

# The files that must have a named case: each of these.
PLACES = {
    "server": ["websocket_server"],
    "client": ["websocket_client"],
    "both": ["websocket_server", "websocket_client"],
    "deflate": ["websocket_deflate_server", "websocket_deflate_client"],
    "request": ["handshake_server"],
    "answer": ["handshake_client"],
}
NUMBER = r"\d+(?:\.\d+)*"
CLAUSE_OF_TITLE = re.compile(rf"\(((?:RFC 7692 )?{NUMBER}(?:, (?:RFC 7692 )?{NUMBER})*)\)$")
ROWS_AT_LEAST = 50


def clauses_of(title):
    """{("6455" or "7692", number)}; empty if the title does not end with a clause."""
    found = CLAUSE_OF_TITLE.search(title)
    clauses = found[1].split(", ") if found else []
    return {("7692", clause.split()[-1]) if clause.startswith("RFC 7692 ") else ("6455", clause) for clause in clauses}


def rows_of(page):
    """(line number, {("6455", number)}, [named case]) of each row of the two tables of clauses; lists below them have the cases."""
    rows, lists = [], {}
    rfc = clause = None
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("## "):
            heading = re.fullmatch(r"## RFC (6455|7692)", line)
            rfc = heading[1] if heading else None
        if rfc and re.match(rf"\| {NUMBER}", line):
            rows.append((number, rfc, line.strip("|").split(" |")[0].strip()))
        elif rfc and (item := re.fullmatch(rf"- \*\*({NUMBER}(?:, {NUMBER})*)\*\*", line)):
            clause = lists.setdefault((rfc, item[1]), [])
        elif rfc and line.startswith("  - `"):
            clause.append(line[5:-1])
    return [(number, {(rfc, each) for each in clauses.split(", ")}, lists.get((rfc, clauses), [])) for number, rfc, clauses in rows]


def check_named(rows, titles, tests):
    for number, _, names in rows:
        if not names:
            yield f"{PAGE.name}:{number}: a clause without a case"
        for name in names:
            place, _, title = name.partition(": ")
            if place == "test":
                if title not in tests:
                    yield f"{PAGE.name}:{number}: no test is called: {title}"
            elif place not in PLACES:
                yield f"{PAGE.name}:{number}: not the name of a case: {name}"
            else:
                missing = [stem for stem in PLACES[place] if title not in titles[stem]]
                yield from (f"{PAGE.name}:{number}: {stem}.wire has no case: {title}" for stem in missing)


def check_titles(rows, titles):
    known = set().union(*(clauses for _, clauses, _ in rows))
    for stem, cases in titles.items():
        for title in sorted({title for title in cases if cases.count(title) > 1}):
            yield f"{stem}.wire: two cases have one title: {title}"
        for title in cases:
            clauses = clauses_of(title)
            if not clauses:
                yield f"{stem}.wire: the title does not end with a clause: {title}"
            for rfc, clause in sorted(clauses - known):
                yield f"{PAGE.name}: no row for RFC {rfc} {clause}, of {stem}.wire: {title}"


def main():
    titles = {stem: titles_of(stem) for stem in sorted({stem for stems in PLACES.values() for stem in stems})}
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    faults = list(check_named(rows, titles, names_of_tests())) + list(check_titles(rows, titles))
    if len(rows) < ROWS_AT_LEAST:
        faults.append(f"{PAGE.name}: {len(rows)} rows were found, of at least {ROWS_AT_LEAST}")
    for fault in faults:
        print(fault)
    print(f"{len(rows)} rows, {sum(map(len, titles.values()))} wire cases, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
