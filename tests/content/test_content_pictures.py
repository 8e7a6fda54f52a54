"""Pictures: found, refused, encoded and remembered."""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from content.helpers_content import encoded, faults, photo, photograph, read, wrong
from PIL import Image, ImageCms, ImageDraw

from newsletter.content import encode
from newsletter.content.cache import Unusable
from newsletter.content.issue import load_issue
from newsletter.content.pictures import Widths
from newsletter.links import fingerprint
from newsletter.model import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

    from newsletter.model import Issue


def opened(data: bytes) -> Image.Image:
    """A picture file, loaded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def drawing(width: int, height: int) -> Image.Image:
    """A picture with few colours and hard edges."""
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for number in range(10):
        pen.rectangle(
            (number * width // 10, height - number * height // 12, (number + 0.7) * width // 10, height),
            fill=(11, 90, 20 * number),
        )
    return image


def noise(width: int, height: int) -> Image.Image:
    """As hard to compress as a detailed photograph."""
    grains = [Image.effect_noise((width // 4, height // 4), 70) for _ in range(3)]
    return Image.merge("RGB", [grain.resize((width, height), Image.Resampling.BICUBIC) for grain in grains])


# -- encoding -------------------------------------------------------------------------


def test_a_large_photograph_becomes_light() -> None:
    """4000 × 3000 pixels come out at twice the display width, below 200 kB."""
    made = encode.encode(encoded(noise(4000, 3000), "JPEG", quality=92), 1072)
    assert (made.ending, made.width, made.height) == ("jpg", 1072, 804)
    assert len(made.data) < 200_000
    image = opened(made.data)
    assert (image.format, image.size, image.info.get("progressive")) == ("JPEG", (1072, 804), 1)


def test_pictures_are_never_made_larger() -> None:
    """A small one keeps its size."""
    made = encode.encode(photo(300, 200), 1072)
    assert (made.width, made.height) == (300, 200)


def test_encoding_is_deterministic() -> None:
    """The same bytes in, the same bytes out."""
    for source in (photo(1500, 900), encoded(drawing(1200, 800), "PNG"), encoded(photograph(), "WEBP")):
        assert encode.encode(source, 600) == encode.encode(source, 600)


def test_a_picture_is_turned_upright_and_loses_its_metadata() -> None:
    """No place, no camera, no comment leaves the desk."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret place"
    made = encode.encode(encoded(photograph(800, 500), "JPEG", exif=exif, comment=b"secret words"), 2000)
    assert (made.width, made.height) == (500, 800)
    assert b"secret" not in made.data
    assert not opened(made.data).getexif()
    left = opened(made.data).convert("L")
    upright = photograph(800, 500).transpose(Image.Transpose.ROTATE_270).convert("L")
    for at in ((20, 20), (480, 20), (20, 780), (480, 780)):
        one, other = left.getpixel(at), upright.getpixel(at)
        assert isinstance(one, int)
        assert isinstance(other, int)
        assert abs(one - other) < 12


def test_drawings_and_transparency_become_png() -> None:
    """With a palette where nothing is lost."""
    made = encode.encode(encoded(drawing(800, 500), "PNG"), 1072)
    assert (made.ending, opened(made.data).mode) == ("png", "P")
    assert opened(made.data).convert("RGB").tobytes() == drawing(800, 500).tobytes()
    clear = photograph(400, 300).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize((400, 300)))
    made = encode.encode(encoded(clear, "PNG"), 200)
    image = opened(made.data)
    assert (made.ending, image.mode, image.size) == ("png", "RGBA", (200, 150))
    assert min(image.getchannel("A").tobytes()) < 10


def test_a_photograph_saved_as_png_becomes_a_jpeg() -> None:
    """It would weigh several times as much; so does one with an alpha channel that hides nothing."""
    for source in (noise(900, 600), noise(900, 600).convert("RGBA")):
        assert encode.encode(encoded(source, "PNG"), 1072).ending == "jpg"


def test_webp_is_converted() -> None:
    """Outlook for Windows does not show it."""
    assert encode.encode(encoded(photograph(), "WEBP"), 400).ending == "jpg"
    assert encode.encode(encoded(drawing(400, 300), "WEBP", lossless=True), 400).ending == "png"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_mode_of_colours_keeps_its_lights(mode: str) -> None:
    """Dark stays dark and light stays light, also with 16 bits or one."""
    grey = Image.linear_gradient("L").resize((300, 200))
    if mode == "I;16":
        raw = b"".join(struct.pack("<H", value * 257) for value in grey.tobytes())
        image = Image.frombytes("I;16", (300, 200), raw)
    else:
        image = grey.convert("RGB" if mode == "CMYK" else mode).convert(mode)
    made = opened(encode.encode(encoded(image, "JPEG" if mode == "CMYK" else "PNG"), 1072).data).convert("L")
    top, bottom = (
        made.crop((0, edge, 300, edge + 20)).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) for edge in (0, 180)
    )
    assert isinstance(top, int)
    assert isinstance(bottom, int)
    assert top < 40
    assert bottom > 215


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_a_transparent_colour_stays_transparent(mode: str) -> None:
    """PNG knows more than one kind of transparency."""
    image = Image.new(mode, (30, 20))
    made = opened(encode.encode(encoded(image, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0), 100).data)
    assert made.convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0)


def test_colours_are_translated_to_srgb() -> None:
    """The profile goes, what it meant stays: the same numbers in another space are another colour."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    broken = encode.encode(encoded(photograph(), "JPEG", icc_profile=b"not a profile"), 2000)
    assert broken == encode.encode(encoded(photograph(), "JPEG"), 2000)
    assert encode.encode(encoded(photograph(), "JPEG", icc_profile=profile), 2000).ending == "jpg"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = opened(encode.encode(encoded(photograph(), "JPEG", icc_profile=srgb), 2000).data)
    assert "icc_profile" not in made.info


def moving(kind: str) -> bytes:
    """An animated picture."""
    frames = [Image.new("RGB", (50, 40), (number * 50, 0, 0)) for number in range(4)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def test_an_animated_gif_is_kept_as_it_is() -> None:
    """Other kinds of animation are refused."""
    source = moving("GIF")
    made = encode.encode(source, 20)
    assert (made.data, made.ending, made.width, made.height, made.animated) == (source, "gif", 50, 40, True)
    still = encode.encode(encoded(drawing(50, 40), "GIF"), 200)
    assert (still.ending, still.animated) == ("png", False)
    for kind in ("WEBP", "PNG"):
        with pytest.raises(Unusable, match=f"is an animated {kind}"):
            encode.encode(moving(kind), 20)


def bomb(side: int) -> bytes:
    """A PNG that says it is ``side`` pixels square, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


UNUSABLE = {
    "empty": (b"", "is not a picture, or damaged"),
    "text": (b"hello", "is not a picture, or damaged"),
    "half a JPEG": (photo()[:3000], "is damaged: "),
    "half a PNG": (encoded(drawing(300, 200), "PNG")[:300], "is damaged: "),
    "half a GIF": (encoded(drawing(300, 200), "GIF")[:1200], "is damaged: "),
    "SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "is of the format SVG"),
    "AVIF": (b"\0\0\0\x20ftypavif\0\0\0\0", "is of the format AVIF"),
    "HEIC": (b"\0\0\0\x20ftypheic\0\0\0\0", "is of the format HEIC"),
    "TIFF": (encoded(drawing(20, 20), "TIFF"), "is of the format TIFF"),
    "BMP": (encoded(drawing(20, 20), "BMP"), "is of the format BMP"),
    "bomb": (bomb(10_000), "has more than 89 million pixels"),
    "larger bomb": (bomb(40_000), "has more than 89 million pixels"),
}


@pytest.mark.parametrize(("source", "message"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_used_says_why(source: bytes, message: str) -> None:
    """And what to do about it."""
    with pytest.raises(Unusable) as caught:
        encode.encode(source, 100)
    assert str(caught.value).startswith(message)
    assert caught.value.hint


@pytest.mark.parametrize(
    "source",
    [photo(60, 40), encoded(drawing(60, 40), "PNG"), moving("GIF"), encoded(photograph(60, 40), "WEBP")],
    ids=["jpeg", "png", "gif", "webp"],
)
def test_damage_of_any_kind_is_one_kind_of_error(source: bytes) -> None:
    """Every byte in turn is broken."""
    seen = 0
    for at in range(0, len(source), max(1, len(source) // 150)):
        broken = source[:at] + bytes([source[at] ^ 0xFF]) + source[at + 1 :]
        try:
            encode.encode(broken, 100)
        except Unusable:
            seen += 1
    assert seen


# -- finding --------------------------------------------------------------------------


def test_names_come_from_the_content(workspace: Workspace) -> None:
    """Not from the file's name, so that a cached copy is never stale."""
    workspace.write("issues/2026-11-23-hello/a.jpg", photo())
    workspace.write("issues/2026-11-23-hello/sub/b.jpg", photo())
    issue = read(workspace, "![a](a.jpg)\n\n![b](sub/b.jpg)\n\n![c](./sub/../a.jpg)\n")
    (picture,) = issue.pictures
    assert picture.name == f"{fingerprint(picture.data)[:20]}.jpg"
    assert (picture.media_type, picture.animated) == ("image/jpeg", False)
    assert (picture.place.line, picture.place.col) == (7, 1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("b.jpg", "the picture “b.jpg” is missing"),
        ("sub", "the picture “sub” is not a file"),
        ("pipe.jpg", "the picture “pipe.jpg” is not a file"),
        ("../other.jpg", "the picture “../other.jpg” lies outside the issue's folder"),
        ("../none.jpg", "the picture “../none.jpg” lies outside the issue's folder"),
        ("..%2Fother.jpg", "the picture “..%2Fother.jpg” lies outside the issue's folder"),
        ("sub/../../other.jpg", "the picture “sub/../../other.jpg” lies outside the issue's folder"),
        ("link.jpg", "the picture “link.jpg” lies outside the issue's folder"),
        ("linked/other.jpg", "the picture “linked/other.jpg” lies outside the issue's folder"),
        ("dangling.jpg", "the picture “dangling.jpg” is a link to a file that does not exist"),
        ("/etc/passwd", "the picture “/etc/passwd” is not a path inside the issue's folder"),
        ("C:\\\\a.jpg", "the picture “C:\\a.jpg” is not a path inside the issue's folder"),
        ("file:///etc/passwd", "the picture “file:///etc/passwd” is not a path inside the issue's folder"),
        ("data:image/png;base64,AA", "the picture “data:image/png;base64,AA” is not a path inside the issue's folder"),
        (
            "https://example.org/a.jpg",
            "the picture “https://example.org/a.jpg” lies on another server, which is not supported",
        ),
        ("//example.org/a.jpg", "the picture “//example.org/a.jpg” lies on another server, which is not supported"),
        ("a%00.jpg", "the picture “a%00.jpg” is missing"),
        ("index.md", "the picture “index.md” is not a picture, or damaged"),
        ("x" * 600, "the picture “" + "x" * 80 + "” is not a path inside the issue's folder"),
        ("x" * 300 + ".jpg", "the picture “" + "x" * 80 + "” is missing"),
    ],
)
def test_only_pictures_inside_the_folder_are_taken(workspace: Workspace, source: str, message: str) -> None:
    """Whatever way leads out of it."""
    folder = workspace.issue("")
    workspace.write("issues/other.jpg", photo())
    (folder / "sub").mkdir()
    (folder / "link.jpg").symlink_to(workspace.root / "issues/other.jpg")
    (folder / "linked").symlink_to(workspace.root / "issues")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    assert wrong(workspace, f"![a]({source})\n") == [f"1:1 {message}"]


def test_a_link_within_the_folder_is_fine(workspace: Workspace) -> None:
    """So is a folder that is itself a link."""
    folder = workspace.issue("![a](b.jpg)\n")
    workspace.write("issues/2026-11-23-hello/a.jpg", photo())
    (folder / "b.jpg").symlink_to("a.jpg")
    (workspace.root / "issues/2026-11-24-link").symlink_to(folder)
    assert load_issue(workspace.root / "issues/2026-11-24-link", workspace.config()).pictures


def test_a_missing_picture_is_suggested(workspace: Workspace) -> None:
    """Also one whose ending is written in capitals."""
    workspace.write("issues/2026-11-23-hello/Harbour.JPG", photo())
    (problem,) = faults(workspace, workspace.issue("![a](harbor.jpg)\n"))
    assert problem.hint == "Did you mean “Harbour.JPG”?"
    workspace.write("issues/2026-11-23-hello/sub/harbor.png", photo())
    (problem,) = faults(workspace, workspace.issue("![a](sub/harbr.png)\n"))
    assert problem.hint == "Did you mean “sub/harbor.png”?"


def test_the_widths_are_the_theme_s(workspace: Workspace) -> None:
    """They are given, not known here."""
    workspace.write("issues/2026-11-23-hello/a.jpg", photo(1500, 900))
    folder = workspace.issue("![a](a.jpg)\n\n::: figure {width=inset}\n![b](a.jpg)\n:::\n")
    issue = load_issue(folder, workspace.config(), widths=Widths(full=400, inset=100))
    assert [(each.width, each.picture.width) for each in issue.blocks if isinstance(each, Figure)] == [
        (400, 800),
        (100, 200),
    ]


# -- the cache ------------------------------------------------------------------------


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    """An issue with one picture."""
    workspace.write("issues/2026-11-23-hello/a.jpg", photo())
    return workspace.issue("![a](a.jpg)\n")


def load(workspace: Workspace, folder: Path) -> Issue:
    """The issue, with the workspace's cache."""
    config = workspace.config()
    return load_issue(folder, config, cache=config.state / "cache")


def test_an_encoded_picture_is_remembered(workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time nothing is encoded, and the result is the same."""
    first = load(workspace, folder)
    monkeypatch.setattr(encode, "encode", None)
    assert load(workspace, folder) == first
    assert (workspace.root / ".newsletter").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"", b"{}\n", b'{"sha256": 1}\nabc', b"\xff\xfe", b"[]\n"])
def test_a_damaged_entry_is_made_again(workspace: Workspace, folder: Path, damage: bytes) -> None:
    """A cache can be cut off, emptied or overwritten at any time."""
    first = load(workspace, folder)
    (entry,) = (workspace.root / ".newsletter/cache/pictures").iterdir()
    sound = entry.read_bytes()
    for broken in (damage, sound[:-1], sound + b"x", sound.replace(b'"jpg"', b'"exe"')):
        entry.write_bytes(broken)
        assert load(workspace, folder) == first
        assert entry.read_bytes() == sound


def test_a_cache_that_cannot_be_written_is_done_without(workspace: Workspace, folder: Path) -> None:
    """Here a file stands where the folder should be."""
    (workspace.root / ".newsletter").write_text("in the way")
    assert load(workspace, folder) == load_issue(folder, workspace.config())


def test_a_changed_picture_is_encoded_anew(workspace: Workspace, folder: Path) -> None:
    """The cache goes by content, not by name or time."""
    first = load(workspace, folder)
    workspace.write("issues/2026-11-23-hello/a.jpg", photo(700, 500))
    assert load(workspace, folder).pictures[0].name != first.pictures[0].name
