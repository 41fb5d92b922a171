"""The numbers on the maps of the picture grid."""

from dataclasses import replace

from frames import RUN

from xaibench.report.pictures.gallery import numbered


def test_numbers_are_of_the_first_localization_metric_and_only_where_a_map_has_one_score():
    assert numbered(RUN) == "; numbers: iou"
    assert numbered(replace(RUN, several_labels=True)) == ""
