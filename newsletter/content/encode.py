"""A picture file becomes what mail clients show everywhere: upright, sRGB, no metadata, JPEG, PNG or animated GIF."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import cast

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from newsletter.content.cache import Encoded, Shape, Unusable
from newsletter.content.playbutton import with_play_button

LIGHT = 200_000
"""Bytes that a photograph should stay below."""

_QUALITIES = (80, 74, 68, 62, 56, 50, 42, 34)
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
_NAMES = "JPEG, PNG, GIF or WebP"
_FEW_COLOURS = 256
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
    zlib.error,
    MemoryError,
)


def encode(raw: bytes, widest: int, shape: Shape = "") -> Encoded:
    """Make ``raw`` at most ``widest`` pixels wide, never wider than it was; same bytes in, same bytes out.

    “square” cuts away what is beside the middle, and of an upright picture more below than above: faces are there.

    Raises ``Unusable`` for what is damaged, too large to unpack, or of another format.
    """
    if kind := _foreign(raw):
        raise Unusable(f"is of the format {kind}, which mail clients do not show", f"Save it as {_NAMES}.")
    with warnings.catch_warnings():
        # Pillow only warns of a bomb below twice its limit; its other warnings are of no use to an author.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _encode(raw, widest, shape)
        except Unusable:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            limit = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
            raise Unusable(f"has more than {limit} million pixels", "Make it smaller first.") from None
        except UnidentifiedImageError:
            raise Unusable("is not a picture, or damaged", f"Save it again as {_NAMES}.") from None
        except _DAMAGE as error:
            reason = str(error) or type(error).__name__
            raise Unusable(f"is damaged: {reason}", "Save it again from its source.") from None


def _foreign(raw: bytes) -> str:
    """The name of a format that is recognised and not supported."""
    head = raw[:400].lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<svg" in head or head.startswith(b"<?xml"):
        return "SVG"
    if raw[4:8] == b"ftyp":
        return (
            "AVIF"
            if raw[8:12] in {b"avif", b"avis"}
            else "HEIC"
            if raw[8:12] in {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
            else "MP4"
        )
    signs = {
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"BM": "BMP",
        b"%PDF": "PDF",
        b"8BPS": "Photoshop",
        b"\xff\x0a": "JPEG XL",
        b"\0\0\0\x0cJXL ": "JPEG XL",
    }
    return next((name for sign, name in signs.items() if raw.startswith(sign)), "")


def _encode(raw: bytes, widest: int, shape: Shape) -> Encoded:
    with Image.open(io.BytesIO(raw), formats=_FORMATS) as opened:
        if getattr(opened, "n_frames", 1) > 1:
            return _moving(opened, raw)
        lossless = opened.format != "JPEG"
        opened.load()
        image = _plain(ImageOps.exif_transpose(opened))
    if shape == "square":
        side = min(image.size)
        image = ImageOps.fit(image, (side, side), centering=(0.5, 0.35))
    image.info = {}  # comments and the like would be saved again
    few = lossless and image.getcolors(_FEW_COLOURS) is not None
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))), Image.Resampling.LANCZOS)
    if shape == "play":
        image = with_play_button(image)
    data, ending = _pack(image, few=few, lossless=lossless)
    return Encoded(data, ending, image.width, image.height)


def _moving(image: Image.Image, raw: bytes) -> Encoded:
    if image.format != "GIF":
        raise Unusable(
            f"is an animated {image.format}, which many mail clients do not show",
            "Save it as an animated GIF, or as a still picture.",
        )
    for frame in range(getattr(image, "n_frames", 1)):
        image.seek(frame)
        image.load()
    return Encoded(raw, "gif", image.width, image.height, animated=True)


# -- colours --------------------------------------------------------------------------


def _plain(image: Image.Image) -> Image.Image:
    """8-bit sRGB: ``L``, ``RGB`` or, with real transparency, ``RGBA``."""
    image = _to_srgb(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.mode in {"LA", "PA", "La", "RGBa", "RGBA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() == (255, 255):
            image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode != "L":
        image = image.convert("RGB")
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8, where Pillow itself would cut off all that is brighter than 255."""
    wide = image.convert("I")
    return wide.point(lambda value: value * (1 / 256)).convert("L")


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"L", "RGB", "RGBA", "CMYK"}:
        return image
    target = "RGB" if image.mode == "CMYK" else image.mode
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        wanted = ImageCms.createProfile("sRGB")
        # A grey profile has no colours to translate.
        changed = image if image.mode == "L" else ImageCms.profileToProfile(image, source, wanted, outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a broken profile is as good as none
    return cast(Image.Image, changed)


# -- files ----------------------------------------------------------------------------


def _pack(image: Image.Image, *, few: bool, lossless: bool) -> tuple[bytes, str]:
    """PNG for transparency and drawings, JPEG for photographs and for drawings that are far lighter so."""
    if image.mode == "RGBA":
        return _png(image), "png"
    if not lossless:
        return _jpeg(image), "jpg"
    png, jpeg = _png(image), _jpeg(image)
    if len(png) <= len(jpeg) * 1.25 or (few and len(png) <= LIGHT):
        return png, "png"
    return jpeg, "jpg"


def _jpeg(image: Image.Image) -> bytes:
    data = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, progressive=True, optimize=True, subsampling="4:2:0")
        data = out.getvalue()
        if len(data) < LIGHT:
            break
    return data


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    _palette(image).save(out, "PNG", optimize=True)
    return out.getvalue()


def _palette(image: Image.Image) -> Image.Image:
    """The same picture with a palette, when its colours fit in one without loss; else as it is."""
    if image.mode == "L" or image.getcolors(_FEW_COLOURS) is None:
        return image
    method = Image.Quantize.FASTOCTREE if image.mode == "RGBA" else Image.Quantize.MEDIANCUT
    small = image.quantize(_FEW_COLOURS, method=method, dither=Image.Dither.NONE)
    return small if small.convert(image.mode).tobytes() == image.tobytes() else image
