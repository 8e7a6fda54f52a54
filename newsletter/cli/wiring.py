"""Where the rooms are put together; no other file knows them all."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import BadConfig, BadInput, Problem, TryLater

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.cli.stamp import Stamp
    from newsletter.config import Config
    from newsletter.links import Links
    from newsletter.model import Edition, Finding, Issue, Page, Published
    from newsletter.providers.base import Provider
    from newsletter.render.theme import Theme
    from newsletter.store.database import Database


def issue_folder(config: Config, name: str | None) -> Path:
    """The folder of an issue named by path or slug; the newest without a name."""
    from newsletter.content.library import find_issue

    return find_issue(config, name)


def folder_of(config: Config, issue_id: str) -> Path | None:
    """The folder of the issue with this id, whatever it is called now."""
    from newsletter.content.library import folder_of as found

    return found(config, issue_id)


def issue(config: Config, folder: Path, *, keep: bool = True) -> Issue:
    """Read one issue folder; ``BadInput`` lists everything wrong with it. Without ``keep`` the cache is not written."""
    from newsletter.content.issue import load_issue
    from newsletter.content.library import check_ids

    repeated: tuple[Problem, ...] = ()
    try:
        check_ids(config, folder)
    except BadInput as error:
        repeated = error.problems
    try:
        read = load_issue(folder, config, cache=config.state / "cache", keep=keep)
    except BadInput as error:
        raise BadInput((*repeated, *error.problems)) from error
    if repeated:
        raise BadInput(repeated)
    return read


def stamp(config: Config, folder: Path, config_file: Path | None = None) -> Stamp | None:
    """The stamp of a build of the issue in ``folder``; ``None`` when it has to be built, or refused, in any case."""
    from newsletter.cli.stamp import stamp as made
    from newsletter.config import FILE
    from newsletter.content.library import check_ids

    try:
        check_ids(config, folder)
    except BadInput:
        return None
    folder = folder.absolute()
    return made(config.state, folder.name, config_file or config.root / FILE, (folder, *theme_folders(config)))


def theme_folders_of_package() -> tuple[Path, ...]:
    """Where the themes that ship lie: in the package, or beside it (a checkout)."""
    package = Path(__file__).resolve().parent.parent
    return (package / "templates", package.parent / "templates")


def theme_folders(config: Config) -> tuple[Path, ...]:
    """Where themes are looked up: the workspace first, then those that ship."""
    return (config.root / "templates", *theme_folders_of_package())


def reader_values(config: Config, address: str) -> dict[str, str]:
    """One subscriber's values, with their links, for looking at that reader's copy."""
    from newsletter.audience.people import values_of

    opened = database(config)
    if opened is None:
        message = f"{address} is not subscribed: there are no subscribers yet"
        raise BadInput(message, hint="Import some with `newsletter subscribers import`.")
    try:
        with opened.read() as connection:
            person, values = values_of(connection, address)
        maker = links(config, opened.instance())
        return values | {"unsubscribe_url": maker.unsubscribe(person), "view_url": maker.view(0, person)}
    finally:
        opened.close()


def edition(config: Config, folder: Path, *, keep: bool = True) -> Edition:
    """What readers of the issue in ``folder`` would get."""
    from newsletter.render.edition import render

    read = issue(config, folder, keep=keep)
    return render(read, theme(config, read), config)


def issue_folders(config: Config) -> tuple[Path, ...]:
    """The folders of all issues, the newest first; ``BadInput`` when there is none."""
    from newsletter.content.library import all_issues, find_issue

    return all_issues(config) or (find_issue(config),)


def pages(
    config: Config, folders: Sequence[Path], before: Sequence[Published], *, keep: bool = True
) -> tuple[Page, ...]:
    """The public pages of the issues in ``folders``, where the archive ``before`` has room for them.

    ``BadInput`` lists everything wrong with any of them.
    """
    from newsletter.render.publication import page
    from newsletter.site.archive import slug_of

    made: list[Page] = []
    problems: list[Problem] = []
    for folder in folders:
        try:
            read = issue(config, folder, keep=keep)
            slug = slug_of((*before, *(each.about for each in made)), read.id, read.slug, read.place)
            made.append(page(read, theme(config, read), config, slug))
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(dict.fromkeys(problems))
    return tuple(made)


def archive_index(config: Config, issues: Sequence[Published]) -> str:
    """The index of the archive, in the newsletter's own theme."""
    from newsletter.render.publication import index

    return index(issues, theme(config), config)


def theme(config: Config, read: Issue | None = None) -> Theme:
    """The theme of an issue, or that of the newsletter; ``BadInput`` at the place that names it."""
    from newsletter.config import FILE
    from newsletter.files import display
    from newsletter.model import Place
    from newsletter.render.theme import load_theme

    named = dict(read.places).get("theme") if read else None
    return load_theme(
        read.theme if read else config.theme,
        theme_folders(config),
        named or Place(display(config.root / FILE)),
    )


def theme_named(config: Config, name: str) -> Theme:
    """A theme by its name; ``BadInput`` when there is none, and for everything wrong in it."""
    from newsletter.render.theme import load_theme

    return load_theme(name, theme_folders(config))


def themes(config: Config) -> list[tuple[str, Path]]:
    """The name and folder of every theme, those of the workspace before those that ship."""
    from newsletter.render.theme import themes as found

    return found(theme_folders(config))


def specimen(config: Config, shown: Theme) -> Edition:
    """The issue that shows every block once, in this theme."""
    from newsletter.content.issue import load_issue
    from newsletter.render.edition import render

    package = Path(__file__).resolve().parent.parent
    places = (package / "specimen", package.parent / "issues" / "2026-10-30-a-specimen")
    folder = next(each for each in places if each.is_dir())
    return render(load_issue(folder, config, cache=config.state / "cache"), shown, config)


def database(config: Config) -> Database | None:
    """The workspace's database; ``None`` when there is none yet."""
    return made(config) if config.database.exists() else None


def made(config: Config) -> Database:
    """The workspace's database, made if it is not there."""
    from newsletter.store.database import open_database

    return open_database(config.database, before=partial(refuse_other_version, config))


def refuse_other_version(config: Config) -> None:
    """Raise ``TryLater`` while an older version of the program sends mail: a migration would pull the tables away."""
    from newsletter.delivery import owners
    from newsletter.files import display

    if owners.at_work(config.state / "locks"):
        message = f"{display(config.database)}: an older version of newsletter is sending mail from this database"
        hint = "Wait for it, or end it with Ctrl-C where it runs; then run the same command again. Nothing was changed."
        raise TryLater(message, hint=hint)


def findings(config: Config, made: Edition, people: Database | None = None) -> tuple[Finding, ...]:
    """The pre-flight of an edition; the audience is asked only where merge fields need it."""
    from newsletter.check.rules import needed_values, needs, preflight

    names = needed_values(made)
    if not names:
        return preflight(made, config, ())
    from newsletter.model import FieldGap

    opened = people or database(config)
    if opened is None:
        return preflight(made, config, [FieldGap(name, 0, 0) for name in names])
    from newsletter.audience.gaps import field_gaps, gaps_by

    try:
        with opened.read() as connection:
            found = gaps_by(connection, needs(made)) if made.choices else ()
            return preflight(made, config, found or field_gaps(connection, names))
    finally:
        if people is None:
            opened.close()


def provider(config: Config) -> Provider:
    """The configured provider, ready to send."""
    from newsletter.providers.registry import make

    return make(config)


def links(config: Config, instance: str, *, mailed: bool = True) -> Links:
    """The maker of personal links; the outbox may do without a secret of its own.

    Raises ``BadConfig`` when a real provider is configured and there is no secret, unless nobody is ``mailed`` them.
    """
    from newsletter.config import SECRET, secret
    from newsletter.links import Links

    value = secret(config.root)
    if not value and config.real and mailed:
        message = f"{SECRET} is not set, and unsubscribe links cannot be signed without it"
        raise BadConfig(message, hint="Set it in the environment or in .env; `newsletter init` makes one.")
    return Links(config.link_base, (value or f"outbox:{instance}").encode())
