"""The documents have every option with its default, and every option that they name exists."""
import re

from tree import finding

CONFIG, LIMITS, MOUNTS, PROTOCOL, CODEC = (f"include/wharf/{name}.hpp" for name in ("config", "limits", "mounts", "protocol", "websocket"))
# Each struct of options, and the headers that have one of that name.
STRUCTS = {"Limits": [LIMITS], "FileLimits": [MOUNTS], "Files": [MOUNTS], "Proxy": [CONFIG], "ServerOptions": [CONFIG, CODEC],
           "TrustedFronts": [CONFIG], "VirtualHost": [CONFIG], "Mount": [CONFIG], "Compression": [PROTOCOL], "StreamOptions": [CODEC],
           "ClientOptions": [CODEC]}
TABLES = ("Limits", "FileLimits", "Files", "Proxy", "ServerOptions")  # those whose every field has a row in a table, with its default
PAGES = re.compile(r"docs/(internals/)?[^/]+\.md|[A-Z]+\.md")
OPTIONS = "include/wharf/options.hpp"  # lists their fields by name, except these
BY_NAME = {"Limits": set(), "FileLimits": set(), "Files": {"folder", "index", "types"}, "Proxy": {"to"}, "Compression": set()}


def fields(text, name):
    """{field: its default as it is written, or ""} of a struct."""
    body = re.search(r"^struct (?:\w+ )?" + name + r" \{\n(.*?)^\};", text, re.DOTALL | re.MULTILINE)
    if body is None:
        return {}
    text = re.sub(r"//[^\n]*|enum class \w+[^{;]*\{[^}]*\};", "", body[1])
    found = re.finditer(r"(\w+)\s*(?:\{([^;]*)\}|=\s*([^;]*))?;", text)
    return {match[1]: (match[2] or match[3] or "").strip() for match in found}


def forms(value):
    """How a document may write this default; nothing if any form is right."""
    if re.fullmatch(r"[\d' *]+", value):
        number = 1
        for factor in value.replace("'", "").split("*"):
            number *= int(factor)
        units = (1, ""), (1000, " s"), (60_000, " min"), (1, " ms"), (1024, " KiB"), (1024 * 1024, " MiB")
        return {f"{number // unit:,}{name}" for unit, name in units if number % unit == 0}
    return {value.split("::")[-1]} if re.fullmatch(r"\w+::\w+|true|false", value) else set()


def rows(page):
    """(line, struct, field, default) of each field that a table has a row of."""
    of_table = None
    for number, line in enumerate(page.lines, 1):
        cells = line.strip("| ").split(" | ") if line.startswith("|") else []
        if not cells:
            of_table = None
            continue
        head = re.match(r"field of `wharf::(\w+)`", cells[0])
        of_table = head[1] if head else of_table
        struct = of_table
        for name in re.findall(r"`([\w:]+)`", cells[0]) if not head else ():
            *outer, field = name.split("::")
            struct = outer[-1] if outer else struct
            if struct is not None:
                yield number, struct, field, cells[1] if len(cells) > 1 else ""


def check_fields(pages, structs):
    found, with_row = [], set()
    for page in pages:
        for number, struct, field, default in rows(page):
            with_row.add((struct, field))
            values = [forms(each[field]) for each in structs.get(struct, []) if field in each]
            if values and not any(not ways or any(re.search(rf"(?<![\w,]){re.escape(way)}(?![\w,]*\w)", default) for way in ways)
                                  for ways in values):
                found.append(finding(page, number, f"{struct}::{field} has the default {' or '.join(sorted(values[0]))}, not {default}"))
        for number, line in enumerate(page.lines, 1):
            for struct, field in re.findall(r"\b(\w+)::([a-z]\w*)", line):
                if struct in structs and not any(field in each for each in structs[struct]):
                    found.append(finding(page, number, f"there is no {struct}::{field}"))
    return found, with_row


def resolve(structs):
    """Puts the number in the place of a default that is another struct's, like `Limits{}.message`."""
    for each in (each for versions in structs.values() for each in versions):
        for field, value in each.items():
            if other := re.fullmatch(r"(\w+)\{\}\.(\w+)", value):
                each[field] = next((there[other[2]] for there in structs.get(other[1], ()) if other[2] in there), value)


def check(files):
    by_path = {file.path: file for file in files}
    pages = [file for file in files if PAGES.fullmatch(file.path)]
    structs = {name: [fields(by_path[path].text, name) for path in paths if path in by_path] for name, paths in STRUCTS.items()}
    resolve(structs)
    found, with_row = check_fields(pages, structs)
    for name in TABLES:
        header = by_path.get(STRUCTS[name][0])
        for field in structs[name][0] if header else ():
            if (name, field) not in with_row and field != "to":
                found.append(finding(header, 1, f"no table in docs/ has a row for {name}::{field}"))
    if OPTIONS in by_path:
        for name, without in BY_NAME.items():
            for field in set(structs[name][0] if structs[name] else ()) - without:
                if not re.search(rf'\{{"{field}",\s*(?:choice<)?&{name}::{field}\b', by_path[OPTIONS].text):
                    found.append(finding(by_path[OPTIONS], 1, f"{name}::{field} is not here"))
    return found
