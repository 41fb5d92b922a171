"""Hints for a mistyped name, and for the names that other libraries use."""

from collections.abc import Iterable
from difflib import get_close_matches

# Classes of captum, grad-cam and TorchRay whose name here is another one, without capitals.
_ELSEWHERE = {
    "deconvolution": "captum[name=Deconvolution]",
    "deepliftshap": "captum[name=DeepLiftShap]",
    "excitationbackprop": "zennit_lib",
    "extremalperturbation": "extremal_perturbation",
    "featureablation": "captum[name=FeatureAblation]",
    "gradcamelementwise": "gradcam_lib[name=GradCAMElementWise]",
    "gradcamplusplus": "gradcam_pp",
    "guidedbackpropagation": "guided_backprop",
    "kpcacam": "gradcam_lib[name=KPCA_CAM]",
    "lime": "captum[name=Lime]",
    "lrp": "captum[name=LRP]",
    "noisetunnel": "smoothgrad",
    "randomcam": "random",
    "saliency": "gradient",
    "shapleyvaluesampling": "captum[name=ShapleyValueSampling]",
    "smoothgradcamplusplus": "smooth_gradcam_pp",
}


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the closest known name, or an empty string.

    >>> did_you_mean("gradcan", ["gradcam", "spn"])
    " (did you mean 'gradcam'?)"
    >>> did_you_mean("Score-CAM", ["scorecam", "spn"])
    " (did you mean 'scorecam'?)"
    >>> did_you_mean("GradCAMPlusPlus", ["gradcam", "gradcam_pp"])
    " (did you mean 'gradcam_pp'?)"
    >>> did_you_mean("zzz", ["gradcam", "spn"])
    ''
    """
    names = list(known)
    asked = _letters(wrong)
    alike = {_letters(name): name for name in names}
    for told in (asked, asked.removeprefix("layer")):
        there = _ELSEWHERE.get(told, "")
        found = there if there.partition("[")[0] in names else alike.get(told)
        if told and found:
            return f" (did you mean '{found}'?)"
    close = get_close_matches(wrong, names, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
