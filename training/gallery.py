"""A page of the most confident mistakes, to see what a checkpoint gets wrong; the photos stay on this machine."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Final

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facekit.analyze import FaceAnalyzer
from training.answer_file import answer_lines, write_lines
from training.data import subset
from training.data.prepare import crop_pictures
from training.evaluate import Reading
from training.questions import NEAR, Question, questions_of
from training.records import Record, write_text

PAGE, LINES = "index.html", "mistakes.jsonl"

_TEMPLATE: Final = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 72rem; margin: 0 auto; padding: 1.5rem }
h1 { font-size: 1.5rem; margin: 0 0 .5rem }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .7rem }
h2 small { font-weight: normal; opacity: .75 }
.terms { border-left: 4px solid #d55e00; margin: 1rem 0; padding: .3rem .8rem }
nav { display: flex; flex-wrap: wrap; gap: .2rem .9rem }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem }
figure { margin: 0 }
img { display: block; height: 9rem; border-radius: 6px }
figcaption { margin-top: .3rem; overflow-wrap: anywhere }
figcaption small { opacity: .75 }
</style>
<h1>{{ title }}</h1>
<p>For every question, the wrong answers that the network was surest of. Not every one is the network's fault: labels
err too. An age counts as wrong when it is more than {{ near }} years off.</p>
<p class="terms"><strong>For use on this machine only.</strong> The photos belong to their owners, and the terms of the
data sets forbid publishing them: do not pass on or upload this page.</p>
<nav aria-label="Questions">
{% for part in parts %}
<a href="#{{ part.name }}">{{ part.name }} ({{ part.wrong }})</a>
{% endfor %}
</nav>
{% for part in parts %}
<section id="{{ part.name }}">
<h2>{{ part.name }} <small>{{ part.wrong }} of {{ part.asked }} wrong</small></h2>
<div class="faces">
{% for face in part.faces %}
<figure>
<img src="{{ face.url }}" alt="Labelled {{ face.truth }}, answered {{ face.answer }}">
<figcaption>labelled <b>{{ face.truth }}</b><br>answered <b>{{ face.answer }}</b><br>
{{ face.sure }} sure<br>
<small>{{ face.file }}</small></figcaption>
</figure>
{% endfor %}
</div>
</section>
{% else %}
<p>Nothing was answered wrong.</p>
{% endfor %}
</html>
""")


def write_gallery(folder: Path, analyzer: FaceAnalyzer, reading: Reading, *, most: int = 12, workers: int = 0) -> None:
    """Write `index.html`, at most `most` mistakes a question, and `mistakes.jsonl`, all of them.

    The page holds its crops itself, as the network saw them. A line is one of `answer_lines` without the questions that
    are answered right.

    Args:
        analyzer: the one that answered; the pictures are cropped again by it.
        workers: see `evaluate.read_source`.
    """
    write_lines(folder / LINES, (_mistakes(line) for line in answer_lines(reading) if line["wrong"]))
    questions = [question for question in questions_of(reading.labels, reading.answers) if len(question.wrong)]
    chosen = np.unique(np.concatenate([np.zeros(0, np.int64), *(question.wrong[:most] for question in questions)]))
    crops = crop_pictures(
        subset(reading.source, reading.rows[chosen]), analyzer.detector, analyzer.framing, workers=workers
    )
    urls = {int(row): _data_url(crop[0]) for row, crop in zip(chosen, crops, strict=True) if not isinstance(crop, str)}
    title = f"Most confident mistakes of {analyzer.checkpoint.name} on {reading.source.name}"
    files = reading.labels["file"]
    parts = [
        {
            "name": question.name,
            "wrong": f"{len(question.wrong):,}",
            "asked": f"{int((~np.isnan(question.right)).sum()):,}",
            "faces": [{"url": urls[row], "file": files[row], **_told(question, row)} for row in question.wrong[:most]],
        }
        for question in questions
    ]
    write_text(folder / PAGE, _TEMPLATE.render(title=title, parts=parts, near=NEAR))


def _mistakes(line: Record) -> Record:
    """A picture's line with nothing but what is wrong."""
    parts = {part: {name: line[part][name] for name in line["wrong"]} for part in ("truth", "answer", "confidence")}
    return line | parts


def _told(question: Question, row: int) -> dict[str, str]:
    """Label, answer and confidence of one picture, in words."""
    truth, answer = (
        f"{value:.0f} years" if question.name == "age" else str(value)
        for value in (question.truth[row], question.answer[row])
    )
    return {"truth": truth, "answer": answer, "sure": f"{100 * question.confidence[row]:.0f} %"}


def _data_url(crop: NDArray[np.uint8]) -> str:
    """(H, W, 3) uint8 RGB as a JPEG inside a URL."""
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
