"""Display names of the report: those of the plugins, also where an old run doesn't hold them."""

from xaibench.core.registry import find_plugin, plugins
from xaibench.report.facts.dataset_names import DATASET_NAMES, bare_dataset_name, dataset_name
from xaibench.report.facts.metric_names import METRIC_NAMES


def test_metrics_of_old_runs_have_the_names_of_today():
    titles = {name: find_plugin("metric", name).traits.title for name in METRIC_NAMES}
    assert titles == METRIC_NAMES
    assert {name for name in plugins("metric") if name.endswith("iou")} <= METRIC_NAMES.keys()


def test_each_dataset_has_a_name():
    shown_by_their_options = {"folder", "across"}
    assert set(plugins("dataset")) - shown_by_their_options <= DATASET_NAMES.keys()


def test_names_of_folders_and_of_what_is_no_spec():
    assert bare_dataset_name("folder[path=C:\\x\\scans]") == "scans"
    assert dataset_name('folder[path="a,b/<i>",masks=m]') == "<i> (masks=m)"
    assert bare_dataset_name("busi[per_class=150], cub") == "busi[per_class=150], cub"
