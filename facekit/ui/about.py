"""The tab *About*: who made the answers, what must not be done with them, how to use them and how to contribute."""

from html import escape

import gradio as gr

from facekit.ui.strings import text, texts

PYTHON = """\
from gradio_client import Client, handle_file

client = Client("http://127.0.0.1:7860")
report = client.predict(handle_file("photo.jpg"), api_name="/analyze")
for face in report["faces"]:
    print(face["box"], face["age"], face["gender"])
"""

CURL = """\
URL=http://127.0.0.1:7860/gradio_api
FILE=$(curl -s -F files=@photo.jpg $URL/upload | tr -d '[]"')
EVENT=$(curl -s $URL/call/analyze -H 'Content-Type: application/json' \\
  -d '{"data": [{"path": "'$FILE'", "meta": {"_type": "gradio.FileData"}}, "mtcnn", "default"]}' | cut -d'"' -f4)
curl -sN $URL/call/analyze/$EVENT
"""

LOCAL = """\
from facekit import FaceAnalyzer

analyzer = FaceAnalyzer.from_pretrained()
for face in analyzer("photo.jpg").faces:
    print(face.box, face.age, face.gender, face.unsure)
"""

FACES = """\
import base64
from gradio_client import Client

answer = Client("http://127.0.0.1:7860").predict(16, 7, '{"Smiling": true}', 0.9, api_name="/generate")
for face in answer["faces"]:
    with open(f"face-{face['index']}.png", "wb") as file:
        file.write(base64.b64decode(face["picture"].split(",")[1]))
"""

CONTRIBUTE = """\
python -m training fit faces data_root=data
python -m training evaluate --checkpoint runs/001-faces/best --data data/celeba \\
  --json runs/001-faces/evaluation/celeba.json
python -m training push runs/001-faces --repo owner/name --pr
"""


def build() -> None:
    """Add the tab's components to the Blocks that is being built."""
    gr.HTML(
        html_template="${value}",
        value=_body(),
        js_on_load="window.facekit.about.start(element);",
        apply_default_css=False,
        elem_id="facekit-about",
    )


def _body() -> str:
    lead = texts()["about.lead"]
    return f"""<div class="fk fk-about"><p data-t="about.lead">{lead}</p>
{_points("about.who", 5)}{_points("about.not", 3)}
<section><h2>{text("about.api")}</h2><p>{text("about.api.text")}</p>
{_code("about.api.python", PYTHON)}{_code("about.api.curl", CURL)}{_code("about.api.local", LOCAL)}
<p class="fk-soft">{text("about.api.fields")}</p>
{_code("about.api.faces", FACES)}<p class="fk-soft">{text("about.api.faces.fields")}</p></section>
<section><h2>{text("about.help")}</h2><p>{text("about.help.text")}</p>{_code("", CONTRIBUTE)}</section></div>"""


def _points(key: str, count: int) -> str:
    points = "".join(f"<li>{text(f'{key}.{i}')}</li>" for i in range(1, count + 1))
    return f"<section><h2>{text(key)}</h2><ul>{points}</ul></section>"


def _code(key: str, code: str) -> str:
    title = f"<h3>{text(key)}</h3>" if key else ""
    button = f'<button type="button" class="fk-link" data-copy data-t="about.copy">{texts()["about.copy"]}</button>'
    return f'<div class="fk-code">{title}<pre tabindex="0">{escape(code)}</pre>{button}</div>'
