"""What is refused is told its true cause, and libraries write nothing past the log."""

from __future__ import annotations

import gzip
import os
import threading

import numpy as np
import pytest
from PIL import Image

from facerec.engine.headers import probe
from facerec.engine.native import libtiff_errors, native_errors
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import decode
from facerec.errors import UnreadableImage, UnsupportedImage
from tests.unit.engine.scenes import saved, scene

OPTIONS = EngineOptions()
AVIF, HEIF = saved(scene(), "AVIF"), saved(scene(), "HEIF")


def branded(heif: bytes, brand: bytes) -> bytes:
    return heif[:8] + brand + heif[12:]


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        (b"", "it is empty"),
        (gzip.compress(saved(scene(), "PNG")), "it is compressed with gzip: send the picture itself"),
        (b"PK\x03\x04rest", "it is a ZIP archive"),
        (b"%PDF-1.7", "it is a PDF document"),
        (b"<!DOCTYPE HTML><p>Not found", r"it is a web page \(HTML\)"),
        (b"<?xml version='1.0'?>\n<svg/>", r"it is a drawing \(SVG\)"),
        (b'{"error": 1}', "it is JSON"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "it is a JPEG XL picture"),
        (b"\0\0\0\x20ftypmp42\0\0\0\0isommp42", "it is a video, or another file of the brand 'mp42'"),
        (AVIF, "it is an AVIF picture"),
        (branded(AVIF, b"miaf"), "it is an AVIF picture"),
        (branded(AVIF, b"mif1"), "coded as AV1"),
        (branded(AVIF, b"heic"), "coded as AV1"),
        (HEIF.replace(b"hvc1", b"unci"), "coded as not compressed"),
        (HEIF.replace(b"hvc1", b"j2k1"), "coded as JPEG 2000"),
        (b"hello", "it begins like none of them"),
    ],
)
def test_what_is_not_read_is_named(image: bytes, cause: str) -> None:
    for read in (lambda: probe(image, OPTIONS.max_pixels), lambda: decode(image, OPTIONS)):
        with pytest.raises(UnsupportedImage, match=cause):
            read()


def test_a_heif_with_a_preview_of_another_codec_is_read() -> None:
    assert decode(branded(HEIF, b"mif1"), OPTIONS).width == scene().width


def test_a_webp_that_is_cut_off_is_told_so() -> None:
    webp = saved(scene(), "WEBP")
    with pytest.raises(UnreadableImage, match=f"cut off: of {len(webp)} bytes there are 60"):
        probe(webp[:60], OPTIONS.max_pixels)


@pytest.fixture
def tiff() -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    return saved(Image.fromarray(noise), "TIFF", compression="tiff_adobe_deflate")


def test_libtiff_s_own_words_are_the_reason(tiff: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    broken = bytearray(tiff)
    broken[len(tiff) // 2] ^= 1
    with pytest.raises(UnreadableImage, match=r"ZIPDecode: .*incorrect data check"):
        decode(bytes(broken), OPTIONS)
    assert decode(tiff, OPTIONS).width == 100
    assert capfd.readouterr().err == ""


def test_what_libtiff_only_complains_of_is_damage_too(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a fax it makes other lines, and no error."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 2, (200, 200), dtype=np.uint8) * 255).convert("1")
    broken = bytearray(saved(noise, "TIFF", compression="group4"))
    broken[len(broken) // 2] ^= 0xFF
    with pytest.raises(UnreadableImage, match="Fax4Decode: "):
        decode(bytes(broken), OPTIONS)
    assert capfd.readouterr().err == ""


def test_a_warning_is_no_damage() -> None:
    with libtiff_errors():
        os.write(2, b"TIFFReadDirectory: Warning, Unknown field with tag 65000 (0xfde8) encountered.\n")
    with pytest.raises(UnreadableImage, match="LZWDecode: Not enough data"), libtiff_errors():
        os.write(2, b"x: Warning, odd.\nLZWDecode: Not enough data at scanline 7 (short 2 bytes).\n")


def test_the_error_output_is_what_it_was_whatever_happens(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with native_errors():
            os.write(2, b"inside\n")
            raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        work()
    os.write(2, b"outside\n")
    assert capfd.readouterr().err == "outside\n"


def test_threads_do_not_take_each_other_s_errors(capfd: pytest.CaptureFixture[str]) -> None:
    found: dict[int, list[str]] = {}

    def work(number: int) -> None:
        for _ in range(50):
            with native_errors() as lines:
                os.write(2, f"{number}\n".encode())
            found.setdefault(number, []).extend(lines)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: 50 * [str(number)] for number in range(4)}
    assert capfd.readouterr().err == ""
