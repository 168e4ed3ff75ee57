"""`facerec enroll`: many photos with their metas into galleries; prepared as a list, which is run, and run again after a break."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import CommandFailed, UsageError
from facerec.cli.scanning.sources import find_items, is_url

if TYPE_CHECKING:
    from facerec.client import Client

PATIENCE = 600.0
TELL_EVERY = 5.0
"""Seconds between two lines on stderr."""
Job = Annotated[Path, typer.Argument(metavar="JOB", help="The list: one photo with its meta a line, JSON.")]
Sources = Annotated[list[str], typer.Argument(metavar="PATH...", help="Photos, folders of photos.")]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Folders inside folders, too.")]
Meta = Annotated[str | None, typer.Option("--meta", help="The same meta for all.")]
MetaCsv = Annotated[Path | None, typer.Option("--meta-csv", metavar="FILE", help="Lines of file name, meta.")]
MetaFile = Annotated[bool, typer.Option("--meta-file", help="The text file beside each photo: ann.jpg has ann.txt.")]
MetaName = Annotated[bool, typer.Option("--meta-name", help="The name of the file without its ending.")]
Galleries = Annotated[list[str] | None, typer.Option("--gallery", help="Into this gallery as well; may be repeated.")]
Selector = Annotated[str, typer.Option("--faces", help="Which faces of a photo: biggest, all or reject.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="How many are sent at a time.")]
Failed = Annotated[bool, typer.Option("--failed", help="Send again what failed, and only that.")]


def register(app: typer.Typer) -> None:
    enroll = typer.Typer(no_args_is_help=True, help="Enroll many photos in the FindFace galleries.")
    command(enroll, "prepare", service=False, examples="facerec enroll prepare staff.jsonl --meta-name photos")(prepare)
    command(enroll, "print", service=False, names=True)(print_)
    command(enroll, "run", examples="facerec enroll run staff.jsonl --gallery staff")(run)
    app.add_typer(enroll, name="enroll")


def prepare(
    call: Call,
    job: Job,
    sources: Sources,
    recursive: Recursive = False,
    meta: Meta = None,
    meta_csv: MetaCsv = None,
    meta_file: MetaFile = False,
    meta_name: MetaName = False,
) -> int:
    """Write the list of photos and metas."""
    if sum((meta is not None, meta_csv is not None, meta_file, meta_name)) > 1:
        raise UsageError("one of --meta, --meta-csv, --meta-file, --meta-name")
    if _results_file(job).exists():
        raise UsageError(f"{_results_file(job)} tells of an earlier list: remove it, or choose another name")
    meta_of = _metas(meta, meta_csv, by_file=meta_file, by_name=meta_name)
    lines = [_line(path, meta_of(path)) for path in _photos(sources, recursive=recursive)]
    job.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    call.out.document({"photos": len(lines), "job": str(job)})
    call.out.say(f"{len(lines)} photos in {job}")
    return 0


def _photos(sources: Sequence[str], *, recursive: bool) -> list[Path]:
    """Raises UsageError for what is no file or folder, or cannot be looked into: a list without it would not be whole."""
    address = next(filter(is_url, sources), None)
    if address is not None:
        raise UsageError(f"{address} is no file: a list is made of photos on this machine")
    found = find_items(sources, Path.cwd(), recursive=recursive)
    for folder, reason in found.unreadable.items():
        raise UsageError(f"{folder}: {reason}")
    photos = [item.path for item in found.items if item.path]
    for path in photos:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file but a pipe, a socket or a device")
    return photos


def _line(path: Path, meta: str) -> str:
    line = json.dumps({"file": str(path.absolute()), "meta": meta}, ensure_ascii=False)
    if not line.isascii():
        with _utf8(path, "its name"):
            line.encode("utf-8")
    return line


@contextmanager
def _utf8(path: Path, what: str = "") -> Iterator[None]:
    """Raises UsageError for a text that is no UTF-8."""
    try:
        yield
    except UnicodeError as error:
        raise UsageError(f"{path}: {what} is no UTF-8 text" if what else f"{path} is no UTF-8 text") from error


def _metas(meta: str | None, table: Path | None, *, by_file: bool, by_name: bool) -> Callable[[Path], str]:
    if table is not None:
        # Spreadsheets write a mark before the first line.
        with _utf8(table), table.open(encoding="utf-8-sig", newline="") as lines:
            known = {row[0]: row[1] for row in csv.reader(lines) if len(row) > 1}
        return lambda path: known.get(path.name, "")
    if by_file:
        return lambda path: _companion(path.with_suffix(".txt"))
    if by_name:
        return lambda path: path.stem
    return lambda _path: meta or ""


def _companion(path: Path) -> str:
    with _utf8(path):
        return path.read_text(encoding="utf-8-sig").strip() if path.exists() else ""


def print_(call: Call, job: Job) -> int:
    """Show the list and what became of each photo."""
    results = _results(job)
    for item in _lines(job):
        result = results.get(item["file"], {"state": "waiting"})
        call.out.line(item | result)
        if call.out.null:
            call.out.say("\t".join([result["state"], item["meta"], result.get("reason", ""), item["file"]]))
        else:
            call.out.say(f"{result['state']:8} {item['file']}  {item['meta']}  {result.get('reason', '')}")
    return 0


def run(
    call: Call,
    job: Job,
    gallery: Galleries = None,
    faces: Selector = "biggest",
    jobs: Jobs = 10,
    failed: Failed = False,
) -> int:
    """Send the photos that were not sent yet; what became of each is noted beside the list, so a break costs nothing."""
    results = _results(job)
    wanted = [item for item in _lines(job) if _is_due(results.get(item["file"]), failed=failed)]
    fixed = {"galleries": json.dumps(gallery or []), "mf_selector": faces}
    with ExitStack() as stack:
        client = stack.enter_context(call.client(patience=PATIENCE, connections=jobs))
        _check_galleries(client, gallery or [])
        out = stack.enter_context(_opened_results(job))
        lock, progress = threading.Lock(), _Progress(call, len(wanted))

        def send(item: dict[str, Any]) -> None:
            result = {"file": item["file"]} | _send(client, item, fixed)
            with lock:
                out.write(json.dumps(result, ensure_ascii=False) + "\n")
                out.flush()
                progress.tell(result)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(send, wanted))
    counts = _counts(job)
    call.out.document(counts)
    call.out.say(", ".join(f"{state} {count}" for state, count in counts.items()))
    return 1 if counts["failed"] else 0


def _check_galleries(client: Client, wanted: list[str]) -> None:
    """Better one word before the first photo than a failure for each."""
    from facerec.client.transport import Call as Request  # noqa: PLC0415

    known = client.call(Request("GET", "/v1/galleries"))["results"] if wanted else []
    for name in wanted:
        if name not in known:
            raise CommandFailed("NOT_FOUND", f"there is no gallery {name}; POST /v1/galleries/{name} makes it")


def _is_due(result: dict[str, Any] | None, *, failed: bool) -> bool:
    return (result is not None and result["state"] == "failed") if failed else result is None


def _send(client: Client, item: dict[str, Any], fixed: dict[str, str]) -> dict[str, Any]:
    """What became of one photo. Raises what ends the whole run: the service is away, the token is wrong."""
    from facerec.client import ApiError  # noqa: PLC0415
    from facerec.client.transport import Call as Request  # noqa: PLC0415

    try:
        path = Path(item["file"])
        photo, fields = (path.name, path.read_bytes()), fixed | {"meta": item["meta"]}
        answer = client.call(Request("POST", "/v1/face", file=photo, part="photo", fields=fields))
    except OSError as error:
        return {"state": "failed", "code": "FILE", "reason": str(error)}
    except ApiError as error:
        if error.status in {401, 403}:
            raise
        return {"state": "failed", "code": error.code, "reason": error.reason}
    return {"state": "done", "faces": [face["id"] for face in answer["results"]]}


class _Progress:
    """Tells on stderr of each photo that failed, and now and then how far the run is."""

    def __init__(self, call: Call, total: int) -> None:
        self._call = call
        self._total = total
        self._ended = 0
        self._told = time.monotonic()

    def tell(self, result: Mapping[str, Any]) -> None:
        self._ended += 1
        if result["state"] == "failed":
            self._call.out.note(f"{result['file']}: {result['reason']}")
        if time.monotonic() - self._told >= TELL_EVERY:
            self._told = time.monotonic()
            self._call.out.note(f"{self._ended} of {self._total} photos")


def _opened_results(job: Path) -> TextIO:
    """The results, to be added to. A line that a break cut off is ended, so that nothing is added to it."""
    path = _results_file(job)
    cut_off = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    out = path.open("a", encoding="utf-8")
    if cut_off:
        out.write("\n")
    return out


def _results_file(job: Path) -> Path:
    return job.with_name(job.name + ".results")


def _lines(job: Path) -> list[dict[str, Any]]:
    try:
        return list(_read(job))
    except OSError as error:
        raise UsageError(f"{job}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{job}: {error}") from error


def _results(job: Path) -> dict[str, dict[str, Any]]:
    """The last result of each photo; a line that was cut off by a break does not count. Raises UsageError."""
    path = _results_file(job)
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), 1):
        with suppress(ValueError):
            result = json.loads(line)
            _check_result(f"{path}: line {number}", result)
            found[result["file"]] = result
    return found


def _check_result(where: str, result: Any) -> None:
    """Results are lines of a text file, and may have been changed by hand. Raises UsageError."""
    if not isinstance(result, dict):
        raise UsageError(f"{where} is no JSON object")
    if not isinstance(result.get("file"), str):
        raise UsageError(f"{where} needs a text file")
    if result.get("state") not in {"done", "failed"}:
        raise UsageError(f"{where} needs a state, done or failed")
    if not isinstance(result.get("reason", "" if result["state"] == "done" else None), str):
        raise UsageError(f"{where} needs a text reason")


def _counts(job: Path) -> dict[str, int]:
    results = _results(job)
    states: Sequence[str] = [results.get(item["file"], {"state": "waiting"})["state"] for item in _lines(job)]
    return {state: states.count(state) for state in ("done", "failed", "waiting")}


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Raises ValueError for a line that names no photo."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _item(number, line)


def _item(number: int, line: str) -> dict[str, Any]:
    try:
        item: dict[str, Any] = {"meta": ""} | json.loads(line)
    except (TypeError, ValueError) as error:
        raise ValueError(f"line {number} is no JSON object") from error
    if not isinstance(item.get("file"), str) or not isinstance(item["meta"], str):
        raise ValueError(f"line {number} needs texts file and meta")
    return item
