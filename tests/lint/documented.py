"""The documents have every option with its default, and every option that they name exists."""
import re

from tree import finding

CONFIG, MOUNTS, PROTOCOL, CODEC = (f"include/wharf/{name}.hpp" for name in ("config", "mounts", "protocol", "websocket"))
# Each struct of options, and the headers that have one of that name.
STRUCTS = {"Limits": [CONFIG], "FileLimits": [MOUNTS], "Files": [MOUNTS], "Proxy": [CONFIG], "ServerOptions": [CONFIG, CODEC],
           "TrustedFronts": [CONFIG], "VirtualHost": [CONFIG], "Mount": [CONFIG], "Compression": [PROTOCOL], "StreamOptions": [CODEC],
           "ClientOptions": [CODEC]}
TABLES = ("Limits", "FileLimits", "Files", "Proxy", "ServerOptions")  # those whose every field has a row in a table, with its default
PAGES = re.compile(r"docs/(internals/)?[^/]+\.md|[A-Z]+\.md")
OPTIONS = "docs/getting-started.md"
PROGRAM = "test-apps/test_server.cpp"
# Where the test server lists the fields by their names, and which fields it does not have.
BY_NAME = {"Limits": "test-apps/limit_options.h", "FileLimits": "test-apps/limit_options.h", "Files": "test-apps/file_options.h",
           "Proxy": "test-apps/proxy_options.h"}
NOT_BY_NAME = {"Files": {"folder", "index", "types"}, "Proxy": {"to"}}


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
    return {value.removeprefix("Switch::")} if re.fullmatch(r"\w+::\w+|true|false", value) else set()


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


def check_options(program, page):
    """The options of the test server against the table of them."""
    given = re.findall(r'\b(?:add_option|add_flag|set_\w+_flag)\(\s*"(?:-\w,)?(--[\w-]+)"(?:, settings\.(\w+))?', program.text)
    defaults = fields(program.text, "Settings")
    table = {name: (number, default) for number, line in enumerate(page.lines, 1)
             for name, default in re.findall(r"^\|[^|]*\| `(--[\w-]+)` \| ([^|]*?) ?\|", line)}
    found = [finding(program, 1, f"{page.path} has no row for {name}") for name, _ in given if name not in table]
    found += [finding(page, number, f"there is no option {name}") for name, (number, _) in table.items() if name not in dict(given)]
    for name, field in given:
        default = defaults.get(field, "").strip('"')
        if name in table and default not in ("", "false") and table[name][1] != default:
            found.append(finding(page, table[name][0], f"{name} has the default {default}, not {table[name][1]}"))
    return found


def check(files):
    by_path = {file.path: file for file in files}
    pages = [file for file in files if PAGES.fullmatch(file.path)]
    structs = {name: [fields(by_path[path].text, name) for path in paths if path in by_path] for name, paths in STRUCTS.items()}
    found, with_row = check_fields(pages, structs)
    for name in TABLES:
        header = by_path.get(STRUCTS[name][0])
        for field in structs[name][0] if header else ():
            if (name, field) not in with_row and field != "to":
                found.append(finding(header, 1, f"no table in docs/ has a row for {name}::{field}"))
    for name, path in BY_NAME.items():
        if path in by_path and structs[name]:
            for field in set(structs[name][0]) - NOT_BY_NAME.get(name, set()):
                if f'"{field}"' not in by_path[path].text:
                    found.append(finding(by_path[path], 1, f"{name}::{field} is not here"))
    if PROGRAM in by_path and OPTIONS in by_path:
        found += check_options(by_path[PROGRAM], by_path[OPTIONS])
    return found
