"""Write ``newsletter/render/schema.py`` from the official MJML engine, which ``make node`` installs.

    python docs/mjml_schema.py [--node build/node]

A test fails when the table and the engine differ.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "newsletter" / "render" / "schema.py"
NODE = ROOT / "build" / "node"

_DUMP = """
const load = name => require(name).default || require(name)
const preset = load('mjml-preset-core')
const folder = require('path').dirname(require.resolve('mjml/package.json'))
const out = {
  version: require('mjml/package.json').version,
  license: require('fs').readFileSync(folder + '/LICENSE.md', 'utf8'),
  colours: load('mjml-core/lib/types/helpers/colors'),
  attributes: {},
  children: {},
}
for (const each of preset.components) {
  const type = each.default || each
  out.attributes[type.componentName] = type.allowedAttributes || {}
}
for (const [name, list] of Object.entries(preset.dependencies)) out.children[name] = list.map(String)
console.log(JSON.stringify(out))
"""

_HEAD = '''"""What the official MJML engine knows: tags, attributes and their types, what may stand where, colours.

Written by ``docs/mjml_schema.py`` from the component classes of MJML {version} (npm ``mjml``).

{license}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "{version}"

'''


def dump(node: Path) -> dict[str, Any]:
    """What the engine under ``node`` says of itself."""
    done = subprocess.run(["node", "-e", _DUMP], cwd=node, capture_output=True, text=True, encoding="utf-8", check=True)  # noqa: S607 - whichever node is found
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def written(found: dict[str, Any]) -> str:
    """The module's text."""
    lines = ["ATTRIBUTES: Mapping[str, Mapping[str, str]] = {"]
    for tag, attributes in sorted(found["attributes"].items()):
        if attributes:
            lines += [f'    "{tag}": {{', *(f'        "{k}": "{v}",' for k, v in sorted(attributes.items())), "    },"]
        else:
            lines.append(f'    "{tag}": {{}},')
    lines += ["}", '"""The attributes of each tag, and the type of each."""', ""]
    lines.append("CHILDREN: Mapping[str, str] = {")
    for tag, children in sorted(found["children"].items()):
        names = sorted(each for each in children if re.fullmatch(r"[a-z-]+", each))
        lines += _entry(tag, " ".join(names))
    lines += ["}", '"""The tags that may stand directly in each tag."""', ""]
    lines += ['COLOURS = """', *textwrap.wrap(" ".join(sorted(found["colours"])), 110), '"""']
    lines.append('"""The names of colours."""')
    return _HEAD.format(version=found["version"], license=found["license"].strip()) + "\n".join(lines) + "\n"


def _entry(tag: str, names: str) -> list[str]:
    if len(line := f'    "{tag}": "{names}",') <= 120:
        return [line]
    if len(line := f'        "{names}"') <= 120:
        return [f'    "{tag}": (', line, "    ),"]
    parts = textwrap.wrap(names, 100)
    return [f'    "{tag}": (', *(f'        "{part} "' for part in parts[:-1]), f'        "{parts[-1]}"', "    ),"]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", type=Path, default=NODE, help="where the engine is installed")
    TARGET.write_text(written(dump(parser.parse_args().node)), "utf-8")


if __name__ == "__main__":
    main()
