"""add_toy.py CONFIG OUT: the public header of configuration with one kind of mounts more, as its author would add it."""
import sys
from pathlib import Path

TOY = """/// Always the same words.
struct Toy {
  std::string words;
};

"""
config = Path(sys.argv[1]).read_text(encoding="utf-8")
for before, after in (("/// A URL prefix and what serves it.", TOY + "/// A URL prefix and what serves it."),
                      ("Fixed> serves;", "Fixed, Toy> serves;")):
    assert config.count(before) == 1, f"{before!r} does not stand in {sys.argv[1]} once"
    config = config.replace(before, after)
Path(sys.argv[2]).write_text(config, encoding="utf-8")
