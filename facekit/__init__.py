"""facekit: read faces, and be told how sure the answer is."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer
    from facekit.diversity import DiversityReport, FaceSample, diversity_report
    from facekit.errors import FacekitError
    from facekit.face import Age, Expression, Face, Gender, Report
    from facekit.generate import FaceGenerator
    from facekit.live import LiveAnalyzer

__version__ = "0.1.0"

__all__ = [
    "Age",
    "DiversityReport",
    "Expression",
    "Face",
    "FaceAnalyzer",
    "FaceGenerator",
    "FaceSample",
    "FacekitError",
    "Gender",
    "LiveAnalyzer",
    "Report",
    "__version__",
    "diversity_report",
]

_HOMES = {
    "Age": "face",
    "DiversityReport": "diversity",
    "Expression": "face",
    "Face": "face",
    "FaceAnalyzer": "analyze",
    "FaceGenerator": "generate",
    "FaceSample": "diversity",
    "FacekitError": "errors",
    "Gender": "face",
    "LiveAnalyzer": "live",
    "Report": "face",
    "diversity_report": "diversity",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import facekit` costs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'facekit' has no attribute {name!r}")
    return getattr(import_module(f"facekit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
