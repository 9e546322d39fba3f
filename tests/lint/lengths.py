"""No function over 60 lines, no file over 500."""
import ast
import re

from tree import CODE_FOLDERS, finding

MOST_OF_FUNCTION = 60
MOST_OF_FILE = 500
EXEMPT = {}  # path, or "path function": why it may be longer

SCOPE = re.compile(r'(?:^|\s)(?:namespace|class|struct|union|enum)\b[^()]*$|extern ""$')
CONTROL = re.compile(r"(?:^|[\s;{}])(?:if|else|for|while|switch|do|catch|try)\b[^{}]*$")
END_OF_HEAD = re.compile(r"(?:\)|=>|\b(?:const|noexcept|override|final|mutable)|->\s*[\w:<>*&, ]+|\])\s*$")
LITERALS = {
    "c": re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*',
                    re.DOTALL | re.MULTILINE),
    "js": re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|`(?:\\.|[^`\\])*`'
                     r'|(?<=[(=,:!&|?;\s])/(?![*/\s])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/[a-z]*', re.DOTALL),
}


def without_literals(text, kind):
    """The text without the insides of comments, strings and directives, line for line."""
    def blank(match):
        quote = '""' if match[0][0] in "\"'`R" and kind in LITERALS else " "
        return quote + "\n" * match[0].count("\n")
    # A digit separator is not the start of a character.
    if kind == "c":
        text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", text)
    return LITERALS[kind].sub(blank, text)


def braced_functions(text, kind):
    """(first line, last line, head) of each outermost function; a function in a class counts, a lambda in a function does not."""
    found = []
    line = start = 1
    head = ""
    stack = []  # what each open brace is: "scope", "value", "inner" or a function's (line, head)
    for c in without_literals(text, kind):
        if c == "\n":
            line += 1
        inside = any(each != "scope" for each in stack)
        if c == "{":
            words = " ".join(head.split())
            if inside:
                stack.append("inner")
            elif SCOPE.search(words) or (kind == "js" and CONTROL.search(words)):
                stack.append("scope")
                head = ""
            elif END_OF_HEAD.search(words) or (words.endswith("}") and ":" in words):
                stack.append((start, words))
            else:
                stack.append("value")
                head += "{"
            continue
        if c == "}" and stack:
            top = stack.pop()
            if isinstance(top, tuple):
                found.append((top[0], line, top[1]))
            if top == "value":
                head += "}"
            elif not any(each != "scope" for each in stack):
                head = ""
            continue
        if inside:
            continue
        if c == ";":
            head = ""
        elif head or not c.isspace():
            if not head:
                start = line
            head += c
    return found


def python_functions(text):
    try:
        nodes = ast.walk(ast.parse(text))
    except SyntaxError:  # another check reports it
        return []
    return [(node.lineno, node.end_lineno, node.name) for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def shell_functions(lines):
    found = []
    for number, line in enumerate(lines, 1):
        match = re.match(r"(\s*)(\w[\w-]*)\s*\(\)\s*\{\s*$", line)
        if match:
            end = next((i for i, other in enumerate(lines[number:], number + 1) if other.startswith(match[1] + "}")), number)
            found.append((number, end, match[2]))
    return found


def functions(file):
    if file.kind in ("c", "js"):
        return braced_functions(file.text, file.kind)
    if file.kind == "python":
        return python_functions(file.text)
    return shell_functions(file.lines) if file.kind == "shell" else []


def check(files):
    found = []
    for file in files:
        scripts = file.kind == "shell" or (file.kind == "python" and file.folder != "")
        if file.folder not in CODE_FOLDERS and not scripts:
            continue
        is_code = file.kind in ("c", "js", "python", "shell") or file.suffix in (".css", ".html", ".build")
        count = file.text.count("\n")
        if is_code and count > MOST_OF_FILE and file.path not in EXEMPT:
            found.append(finding(file, MOST_OF_FILE + 1, f"the file has {count} lines, more than {MOST_OF_FILE}"))
        for first, last, head in functions(file):
            size = last - first + 1
            name = re.split(r"[\s({]", head.split("(")[0].strip())[-1] or head
            if size > MOST_OF_FUNCTION and f"{file.path} {name}" not in EXEMPT:
                found.append(finding(file, first, f"{name} has {size} lines, more than {MOST_OF_FUNCTION}"))
    return found
