"""``newsletter theme``: which there are, what they look like, and one of your own."""

from __future__ import annotations

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import building, output, specimen, themecopy, wiring
from newsletter.cli.app import Call, group
from newsletter.config import FILE
from newsletter.errors import BadInput
from newsletter.files import display, writing

if TYPE_CHECKING:
    from newsletter.config import Config


@group()
def theme(call: Call) -> None:
    """List the themes, look at one, make one of your own.

    \b
    Examples:
      newsletter theme list
      newsletter theme show digest
      newsletter theme copy digest templates/mine
    """
    del call


@theme.sub("list")
def list_(call: Call) -> None:
    """List the themes, yours and those that ship.

    \b
    Example:
      newsletter theme list
    """
    config = call.config()
    found = [_described(config, name, folder) for name, folder in wiring.themes(config)]
    if call.json:
        output.emit(found)
        return
    rows = [
        ("*" if each["used"] else "", each["name"], "yours" if each["yours"] else "ships", each["about"])
        for each in found
    ]
    output.table(["", "theme", "whose", "what for"], rows)
    for each in found:
        if each["problem"]:
            output.warn(f"“{each['name']}” cannot be used: {each['problem']}")
    output.hint(f"\n* is what {FILE} names. Next: newsletter theme show {found[-1]['name']}")


def _described(config: Config, name: str, folder: Path) -> dict[str, Any]:
    about: dict[str, Any] = {"title": "", "about": "", "parent": "", "problem": ""}
    try:
        loaded = wiring.theme_named(config, name)
        about |= {"title": loaded.title, "about": loaded.about, "parent": loaded.parent}
    except BadInput as error:
        about["problem"] = str(error.problems[0]).partition("\n")[0]
    ships = any(folder.parent.samefile(each) for each in wiring.theme_folders_of_package() if each.is_dir())
    return {"name": name, "folder": str(folder), "used": name == config.theme, "yours": not ships, **about}


@theme.sub()
@click.argument("name", required=False)
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
def show(call: Call, name: str | None, *, opened: bool) -> None:
    """Show every block of a theme on one page.

    The page is written to build/theme-<name>/: mail, web page and text, light and dark, as on a desk and as on a
    phone. NAME is a theme; the newsletter's own without it.

    \b
    Examples:
      newsletter theme show
      newsletter theme show digest --open
    """
    config = call.config()
    loaded = wiring.theme_named(config, name or config.theme)
    local = replace(config, public_url="", assets_url="")  # so that its pictures are those beside it
    built = building.files_of(wiring.specimen(local, loaded), local)
    target = config.root / "build" / f"theme-{loaded.name}"
    building.write(target, specimen.files_of(loaded, built))
    page = target / specimen.PAGE
    lowest = min((each.ratio for each in loaded.contrast), default=0.0)
    if call.json:
        output.emit(
            {
                "theme": loaded.name,
                "page": str(page),
                "html_bytes": len(built["email.html"]),
                "contrast": [
                    {
                        "text": each.pair.text,
                        "ground": each.pair.ground,
                        "scheme": "dark" if each.dark else "light",
                        "ratio": round(each.ratio, 2),
                    }
                    for each in loaded.contrast
                ],
            }
        )
    else:
        output.say(f"{output.style('made', fg='green')}  {display(page)}")
        output.say(f"{len(loaded.contrast)} pairs of text and ground; the lowest contrast is {lowest:.1f}:1.")
        if not opened:
            output.hint(f"\nNext: open {display(page)} in a browser, or run this again with --open.")
    if opened:
        webbrowser.open(page.absolute().as_uri())


@theme.sub()
@click.argument("name")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def copy(call: Call, name: str, folder: Path) -> None:
    """Copy a theme, to make one of your own.

    The copy names NAME as its parent. Delete whichever file you do not change: it comes from the parent then, and
    follows it. Nothing is ever overwritten.

    \b
    Example:
      newsletter theme copy digest templates/mine
    """
    config = call.config()
    target = folder.absolute()
    loaded = wiring.theme_named(config, name)
    themecopy.refuse_taken(target)
    with writing(target):
        files = themecopy.files_of(loaded, target.name)
    building.write(target, files)
    free = themecopy.may_go(list(files))
    if call.json:
        output.emit({"folder": str(target), "parent": name, "files": list(files), "may_delete": free})
        return
    output.say(f"{output.style('made', fg='green')}  {display(target)}/ ({len(files)} files), a copy of “{name}”")
    output.say(f"\nEach of these may be deleted; what is missing comes from “{name}”, and follows it:")
    output.say(click.wrap_text(", ".join(free), width=98, initial_indent="  ", subsequent_indent="  "))
    if target.parent == config.root / "templates":
        own = target.name
        output.hint(f"\nNext: change it, run `newsletter theme show {own}`, and write `theme: {own}` in {FILE}.")
    else:
        output.hint(f"\nNext: move it to {display(config.root / 'templates')}/, where themes are looked up.")
