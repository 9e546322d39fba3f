"""add_toy.py CONFIG OUT: the public header of configuration with one kind of mounts more, as its author would add it."""
import re
import sys
from pathlib import Path

TOY = """/// Always the same words.
struct Toy {
  std::string words;
};

"""
config = Path(sys.argv[1]).read_text(encoding="utf-8")
for before, after in ((r"(?=/// A URL prefix and what serves it\.)", TOY), (r"(?<=\w)(?=> serves;)", ", Toy")):
    config, count = re.subn(before, after, config)
    assert count == 1, f"{before!r} is in {sys.argv[1]} {count} times"
Path(sys.argv[2]).write_text(config, encoding="utf-8")
