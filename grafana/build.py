"""Builds the dashboards as JSON from code: `python grafana/build.py`; a test keeps the two the same.

Every query is run by a real Prometheus in tests/integration/prometheus/; metrics are explained in docs/metrics.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FOLDER = Path(__file__).with_name("dashboards")
RULES = Path(__file__).with_name("alerts") / "footfall.rules.yaml"
OPERATOR = Path(__file__).parent.parent / "deploy/k8s/components/prometheus-operator/rules.yaml"
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${source}")
CAMERA = 'camera=~"$camera"'
WIDE, HALF, THIRD, SMALL = 24, 12, 8, 4
DRILL = "Everything of this camera"
CHANGED = "count(footfall_drift_active) or vector(0)"
INVALID = "count(footfall_counts_valid == 0) or vector(0)"
WORST = 10
"""Of many cameras a graph shows so many: fifty lines are none."""


def target(expression: str, legend: str = "", *, instant: bool = False) -> query.Dataquery:
    """One Prometheus query."""
    built = query.Dataquery().datasource(SOURCE).expr(expression).legend_format(legend or "__auto")
    return built.instant() if instant else built.range()


def graph(
    title: str,
    *targets: query.Dataquery,
    unit: str = "short",
    span: int = HALF,
    stacked: bool = False,
    about: str = "",
    of_cameras: bool = False,
) -> timeseries.Panel:
    """Lines over time; bars on top of each other when `stacked`. `of_cameras`: a line leads to its camera."""
    panel = timeseries.Panel().title(title).description(about).datasource(SOURCE).unit(unit).span(span).height(8).min(0)
    panel = panel.tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    if of_cameras:
        panel = panel.data_links([dashboard.DashboardLink(DRILL).url(camera_address("${__field.labels.camera}"))])
        legend = VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.RIGHT)
        panel = panel.legend(legend.show_legend(True).calcs(["lastNotNull"]))
    if stacked:
        panel = panel.draw_style(GraphDrawStyle.BARS).fill_opacity(70)
        panel = panel.stacking(StackingConfig().mode(StackingMode.NORMAL))
    for each in targets:
        panel = panel.with_target(each)
    return panel


def figure(
    title: str, expression: str, *, unit: str = "short", about: str = "", span: int = SMALL, leads_to: str = ""
) -> stat.Panel:
    """One number of now; `leads_to`: the dashboard (its uid) that tells more."""
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(4)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(target(expression, instant=True))
    )
    if leads_to:
        address = f"/d/{leads_to}?${{source:queryparam}}&${{__url_time_range}}"
        panel = panel.data_links([dashboard.DashboardLink("More").url(address)])
    return panel


def rows(title: str, expression: str, *, about: str = "", span: int = WIDE) -> table.Panel:
    """A table of now, one row a series."""
    one = target(expression, instant=True).format(PromQueryFormat.TABLE)
    panel = table.Panel().title(title).description(about).datasource(SOURCE).span(span).height(9).with_target(one)
    link = {"title": DRILL, "url": camera_address("${__value.text}")}
    return panel.override_by_name("camera", [models.DynamicConfigValue("links", [link])])


def camera_address(camera: str) -> str:
    """Where the dashboard of a camera is, at the same time and of the same Prometheus."""
    return f"/d/footfall-camera?var-camera={camera}&${{source:queryparam}}&${{__url_time_range}}"


def lowest(expression: str) -> str:
    """The cameras with the least."""
    return f"bottomk({WORST}, {expression})"


def highest(expression: str) -> str:
    """The cameras with the most."""
    return f"topk({WORST}, {expression})"


def board(uid: str, title: str, about: str, *, one_camera: bool | None) -> dashboard.Dashboard:
    """An empty dashboard; `one_camera` None has no choice of cameras, True of one, False of several."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags(["footfall"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .link(
            dashboard.DashboardLink("Footfall").tags(["footfall"]).type("dashboards").as_dropdown(True).keep_time(True)
        )
    )
    if one_camera is not None:
        cameras = (
            dashboard.QueryVariable("camera")
            .label("Camera")
            .datasource(SOURCE)
            .query("label_values(footfall_frames_received_total, camera)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
        built = built.with_variable(cameras if one_camera else cameras.include_all(True).multi(True))
    return built


def operations() -> dashboard.Dashboard:
    """Is everything watched?"""
    watched = 'footfall_camera_state{state=~"live|degraded"} == 1'
    absent = 'footfall_camera_state{state=~"connecting|offline|stalled|auth_failed|not_found"} == 1'
    late = 'footfall_frames_dropped_total{reason=~"superseded|stale"}[$__rate_interval]'
    built = board("footfall-operations", "Footfall · Operations", "Is everything watched?", one_camera=None)
    panels = [
        figure("Cameras live", f"count({watched}) or vector(0)"),
        figure("Cameras not watched", f"count({absent}) or vector(0)", about="Their seconds are uncovered, not empty."),
        figure(
            "Coverage now",
            "avg(rate(footfall_watched_seconds_total[$__rate_interval]))",
            unit="percentunit",
            about="Share of the time in which the cameras are watched.",
        ),
        figure("Frames analysed a second", "sum(rate(footfall_frames_analysed_total[$__rate_interval]))"),
        figure(
            "Age of counts, 99 %",
            "histogram_quantile(0.99, sum by (le) (rate(footfall_frame_age_seconds_bucket[$__rate_interval])))",
            unit="s",
        ),
        figure("Records waiting", "sum(footfall_records_pending)"),
        figure(
            "Machine in use",
            "max(footfall_capacity_ratio)",
            unit="percentunit",
            about="Analyses asked for ÷ analyses the machine could do; above 100 % rates fall, of every camera alike.",
            span=HALF,
        ),
        figure(
            "Cameras that fit, at what they cost now",
            "sum(footfall_cameras_possible)",
            about="As many like these the machines hold in all.",
            span=HALF,
        ),
        figure(
            "Cameras that have changed",
            CHANGED,
            about="Drift that lasts: moved, covered, fog and others.",
            span=HALF,
            leads_to="footfall-drift",
        ),
        figure(
            "Cameras whose counts mean something else",
            INVALID,
            about="They look elsewhere; their lines must be drawn anew.",
            span=HALF,
            leads_to="footfall-drift",
        ),
        rows("What cameras do", "footfall_camera_state == 1", about="The state of each camera.", span=HALF),
        graph(
            "Coverage, the ten least watched",
            target(lowest("rate(footfall_watched_seconds_total[$__rate_interval])"), "{{camera}}"),
            unit="percentunit",
            of_cameras=True,
        ),
        graph(
            "Analysed frames a second, the ten least",
            target(lowest("rate(footfall_frames_analysed_total[$__rate_interval])"), "{{camera}}"),
            unit="ops",
            of_cameras=True,
        ),
        graph(
            "Frames left out, by reason",
            target("sum by (reason) (rate(footfall_frames_dropped_total[$__rate_interval]))", "{{reason}}"),
            unit="ops",
            stacked=True,
            about="`rate` is on purpose; `superseded` and `stale` tell that the machine is too slow.",
        ),
        graph(
            "CPU time of an analysed frame, by stage",
            target("max by (stage) (footfall_stage_cpu_seconds)", "{{stage}}"),
            unit="s",
            stacked=True,
            about="The largest part limits how many cameras fit.",
        ),
        graph(
            "Frames that came too late, the ten most",
            target(
                highest(
                    f"sum by (camera) (rate({late})) / (sum by (camera) (rate({late})) "
                    "+ sum by (camera) (rate(footfall_frames_analysed_total[$__rate_interval])))"
                ),
                "{{camera}}",
            ),
            unit="percentunit",
            of_cameras=True,
        ),
        graph(
            "New connections, the ten most",
            target(
                highest("sum by (camera, reason) (increase(footfall_reconnects_total[$__rate_interval]))"),
                "{{camera}} {{reason}}",
            ),
            stacked=True,
            of_cameras=True,
        ),
        graph(
            "From picture to count",
            target(
                "histogram_quantile(0.5, sum by (le) (rate(footfall_frame_age_seconds_bucket[$__rate_interval])))",
                "median",
            ),
            target(
                "histogram_quantile(0.99, sum by (le) (rate(footfall_frame_age_seconds_bucket[$__rate_interval])))",
                "99 %",
            ),
            unit="s",
        ),
        graph(
            "Detector",
            target(
                "sum(rate(footfall_detector_seconds_sum[$__rate_interval])) "
                "/ sum(rate(footfall_detector_batch_frames_sum[$__rate_interval]))",
                "seconds a frame",
            ),
            unit="s",
        ),
        graph(
            "Models",
            target("sum by (outcome) (increase(footfall_model_swaps_total[$__rate_interval]))", "{{outcome}}"),
            target("max(footfall_canary_cameras)", "cameras that the challenger looks at"),
            target("1 - min(footfall_model_follows_registry)", "wanted, and not running"),
            about="What the registry wants and a service does with it; see docs/models.md.",
        ),
        graph(
            "Challenger beside champion: who finds people",
            target("sum by (found_by) (rate(footfall_shadow_people_total[$__rate_interval]))", "{{found_by}}"),
            unit="ops",
            stacked=True,
            about="On single frames of cameras that are no canaries. Agreement is no precision.",
        ),
        graph("Memory", target('process_resident_memory_bytes{job="footfall"}', "{{instance}}"), unit="bytes"),
        graph(
            "Cores used", target('rate(process_cpu_seconds_total{job="footfall"}[$__rate_interval])', "{{instance}}")
        ),
    ]
    return with_panels(built, panels)


def business() -> dashboard.Dashboard:
    """How many came?"""
    crossed = f"footfall_people_crossed_total{{{CAMERA}}}"
    built = board("footfall-footfall", "Footfall · Footfall", "How many came, and when?", one_camera=False)
    panels = [
        figure("In", f'sum(increase(footfall_people_crossed_total{{{CAMERA}, direction="in"}}[$__range]))', span=SMALL),
        figure(
            "Out", f'sum(increase(footfall_people_crossed_total{{{CAMERA}, direction="out"}}[$__range]))', span=SMALL
        ),
        figure("People in zones now", f"sum(footfall_zone_people{{{CAMERA}}}) or vector(0)", span=SMALL),
        figure(
            "Watched",
            f"avg(increase(footfall_watched_seconds_total{{{CAMERA}}}[$__range])) / $__range_s",
            unit="percentunit",
            span=SMALL,
            about="Under 100 %, all totals are lower bounds.",
        ),
        figure(
            "Turned back",
            f"sum(increase(footfall_uturns_total{{{CAMERA}}}[$__range])) "
            f"/ (sum(increase({crossed}[$__range])) > 0) or vector(0)",
            unit="percentunit",
            span=SMALL,
        ),
        figure(
            "Stay, median",
            "histogram_quantile(0.5, "
            f"sum by (le) (increase(footfall_zone_dwell_seconds_bucket{{{CAMERA}}}[$__range])))",
            unit="s",
            span=SMALL,
        ),
        graph(
            "In and out",
            target(f"sum by (direction) (increase({crossed}[$__rate_interval]))", "{{direction}}"),
            span=WIDE,
            stacked=True,
        ),
        graph(
            "In, the ten busiest lines",
            target(
                highest(
                    "sum by (camera, line) "
                    f'(increase(footfall_people_crossed_total{{{CAMERA}, direction="in"}}[$__rate_interval]))'
                ),
                "{{camera}} {{line}}",
            ),
            stacked=True,
            of_cameras=True,
        ),
        graph(
            "People in the ten fullest zones",
            target(highest(f"footfall_zone_people{{{CAMERA}}}"), "{{camera}} {{zone}}"),
            of_cameras=True,
        ),
        graph(
            "Finished stays",
            target(
                f"sum by (zone, outcome) (increase(footfall_zone_visits_total{{{CAMERA}}}[$__rate_interval]))",
                "{{zone}} {{outcome}}",
            ),
            stacked=True,
        ),
        graph(
            "Coverage, the ten least watched",
            target(lowest(f"rate(footfall_watched_seconds_total{{{CAMERA}}}[$__rate_interval])"), "{{camera}}"),
            unit="percentunit",
            of_cameras=True,
        ),
        rows("All lines, in the time shown", f"sum by (camera, line, direction) (increase({crossed}[$__range]))"),
    ]
    return with_panels(built, panels)


def camera() -> dashboard.Dashboard:
    """One camera, everything."""
    built = board("footfall-camera", "Footfall · Camera", "One camera, everything.", one_camera=True)
    one = 'camera="$camera"'

    def statistic(title: str, name: str, unit: str = "short") -> timeseries.Panel:
        return graph(
            title, target(f'footfall_input_statistic{{{one}, statistic="{name}"}}', name), unit=unit, span=THIRD
        )

    page = dashboard.TextBoxVariable("page").label("Address of Footfall").default_value("http://127.0.0.1:8600")
    built = built.with_variable(page).link(
        dashboard.DashboardLink("Picture and lines of this camera")
        .type("link")
        .url("${page}/cameras/${camera}")
        .target_blank(True)
    )
    built = built.link(
        dashboard.DashboardLink("How this camera changed")
        .type("link")
        .url("${page}/drift?camera=${camera}")
        .target_blank(True)
    )
    reviewed = f'{{scope="camera", {one}}}'
    panels = [
        rows("State", f"footfall_camera_state{{{one}}} == 1", span=THIRD),
        figure("Coverage now", f"rate(footfall_watched_seconds_total{{{one}}}[$__rate_interval])", unit="percentunit"),
        figure("Analysed a second", f"rate(footfall_frames_analysed_total{{{one}}}[$__rate_interval])"),
        figure("Seconds since the last picture", f"time() - footfall_last_frame_timestamp_seconds{{{one}}}", unit="s"),
        figure(
            "Age of counts, 99 %",
            "histogram_quantile(0.99, "
            f"sum by (le) (rate(footfall_frame_age_seconds_bucket{{{one}}}[$__rate_interval])))",
            unit="s",
        ),
        figure(
            "Precision",
            f"footfall_precision_reviewed_ratio{reviewed}",
            unit="percentunit",
            about="By reviewers' verdicts. Absent until enough samples were judged.",
        ),
        figure("At least", f"footfall_precision_reviewed_lower_ratio{reviewed}", unit="percentunit", about="95 %."),
        figure("At most", f"footfall_precision_reviewed_upper_ratio{reviewed}", unit="percentunit", about="95 %."),
        figure("Verdicts", f"footfall_precision_reviewed_samples{reviewed}"),
        figure("Verdicts missing", f"footfall_precision_reviewed_missing_samples{reviewed}"),
        figure("Recall", f"footfall_recall_audited_ratio{reviewed}", unit="percentunit", about="By labelled frames."),
        graph(
            "Drift: largest distance ÷ threshold",
            target(f"footfall_drift_ratio{{{one}}}", "distance ÷ threshold"),
            about="Over 1 a window is unusual; a gap where nothing can be told.",
        ),
        figure(
            "Counts valid",
            f"footfall_counts_valid{{{one}}}",
            about="0: it looks elsewhere, its counts mean something else.",
            leads_to="footfall-drift",
        ),
        rows("What has changed", f"footfall_drift_active{{{one}}}", span=THIRD),
        graph(
            "Count accuracy by line",
            target(f"footfall_count_accuracy_audited_ratio{{{one}}}", "{{line}}"),
            target(f"footfall_count_accuracy_audited_lower_ratio{{{one}}}", "{{line}} at least"),
            unit="percentunit",
            about="By clips that a person counted, 95 % interval.",
        ),
        graph(
            "In and out, by line",
            target(f"increase(footfall_people_crossed_total{{{one}}}[$__rate_interval])", "{{line}} {{direction}}"),
            stacked=True,
        ),
        graph("People in zones", target(f"footfall_zone_people{{{one}}}", "{{zone}}")),
        graph(
            "Frames",
            target(f"rate(footfall_frames_received_total{{{one}}}[$__rate_interval])", "received"),
            target(f"rate(footfall_frames_analysed_total{{{one}}}[$__rate_interval])", "analysed"),
            target(f"rate(footfall_frames_dropped_total{{{one}}}[$__rate_interval])", "left out: {{reason}}"),
            unit="ops",
        ),
        graph(
            "New connections",
            target(f"increase(footfall_reconnects_total{{{one}}}[$__rate_interval])", "{{reason}}"),
            stacked=True,
        ),
        statistic("Brightness", "luminance"),
        statistic("Contrast", "contrast"),
        statistic("Sharpness", "sharpness"),
        statistic("Noise", "noise"),
        statistic("Blockiness", "blockiness"),
        statistic("Edges in place", "persistent_edge_share", "percentunit"),
        statistic("Found in a picture", "detections"),
        statistic("Clipped", "clipped_share", "percentunit"),
        statistic("Dark", "dark_share", "percentunit"),
    ]
    return with_panels(built, panels)


def quality() -> dashboard.Dashboard:
    """How right is it?"""
    built = board("footfall-quality", "Footfall · Quality", "How right is it, and how sure is that?", one_camera=False)
    site = '{scope="site"}'
    cameras = f'{{scope="camera", {CAMERA}}}'

    def worst(measure: str, part: str) -> str:
        value = f"footfall_{measure}_ratio{cameras}"
        return f"footfall_{measure}_{part}{cameras} and on (instance, camera, model) {lowest(value)}"

    def with_interval(title: str, measure: str, about: str) -> timeseries.Panel:
        return graph(
            title,
            target(lowest(f"footfall_{measure}_ratio{cameras}"), "{{camera}}"),
            target(worst(measure, "lower_ratio"), "{{camera}} at least"),
            target(worst(measure, "upper_ratio"), "{{camera}} at most"),
            unit="percentunit",
            about=about,
            of_cameras=True,
        ).max(1)

    unknown = "Absent until enough people have judged enough samples: see what is missing below."
    panels = [
        figure("Precision of the site", f"footfall_precision_reviewed_ratio{site}", unit="percentunit", about=unknown),
        figure(
            "At least", f"footfall_precision_reviewed_lower_ratio{site}", unit="percentunit", about="95 % interval."
        ),
        figure("At most", f"footfall_precision_reviewed_upper_ratio{site}", unit="percentunit", about="95 % interval."),
        figure("Verdicts", f"footfall_precision_reviewed_samples{site}"),
        figure("Recall of the site", f"footfall_recall_audited_ratio{site}", unit="percentunit", about=unknown),
        figure("Seconds since the last check", "time() - footfall_monitor_last_check_timestamp_seconds", unit="s"),
        with_interval("Precision, the ten lowest", "precision_reviewed", f"By verdicts, 95 % interval. {unknown}"),
        with_interval("Recall, the ten lowest", "recall_audited", f"By labelled frames, 95 % interval. {unknown}"),
        graph(
            "Precision, estimated, the ten lowest",
            target(lowest(f"footfall_precision_estimated_ratio{cameras}"), "{{camera}}"),
            unit="percentunit",
            about="By what confidences are worth; an estimate, no verdict.",
            of_cameras=True,
        ),
        graph(
            "Count accuracy, the ten lowest lines",
            target(lowest(f"footfall_count_accuracy_audited_ratio{{{CAMERA}}}"), "{{camera}} {{line}}"),
            target(
                f"footfall_count_accuracy_audited_lower_ratio{{{CAMERA}}} and on (instance, camera, line, model) "
                + lowest(f"footfall_count_accuracy_audited_ratio{{{CAMERA}}}"),
                "{{camera}} {{line}} at least",
            ),
            unit="percentunit",
            about="By clips that a person counted, 95 % interval.",
            of_cameras=True,
        ),
        graph(
            "In against out of the last day, the ten worst",
            target(highest(f"footfall_count_balance_error_ratio{{{CAMERA}}}"), "{{camera}} {{line}}"),
            unit="percentunit",
            of_cameras=True,
            about="What comes in must go out; what errs on both sides alike does not show.",
        ),
        graph(
            "Brightness, the ten darkest",
            target(lowest(f'footfall_input_statistic{{{CAMERA}, statistic="luminance"}}'), "{{camera}}"),
            of_cameras=True,
        ),
        graph(
            "Contrast, the ten least",
            target(lowest(f'footfall_input_statistic{{{CAMERA}, statistic="contrast"}}'), "{{camera}}"),
            of_cameras=True,
        ),
        figure("Precision of all sites", "fleet:footfall_precision_reviewed:ratio", unit="percentunit"),
        figure("All sites, at least", "fleet:footfall_precision_reviewed:lower_ratio", unit="percentunit"),
        figure("All sites, at most", "fleet:footfall_precision_reviewed:upper_ratio", unit="percentunit"),
        figure("Sites with a figure", "fleet:footfall_precision_reviewed:sites"),
        figure(
            "Agreement with a teacher",
            f"footfall_teacher_agreement_ratio{site}",
            unit="percentunit",
            about="Of a stronger model, where one is asked; no precision: both may miss the same.",
        ),
        figure(
            "Precision with its help",
            f"footfall_precision_assisted_ratio{site}",
            unit="percentunit",
            about="Verdicts, sharpened by the teacher as far as it agrees with them.",
        ),
        rows("Verdicts missing", f"footfall_precision_reviewed_missing_samples{cameras}", span=HALF),
        rows("People to be marked, missing", f"footfall_recall_audited_missing_samples{cameras}", span=HALF),
    ]
    return with_panels(built, panels)


def drift() -> dashboard.Dashboard:
    """Which cameras have changed?"""
    built = board("footfall-drift", "Footfall · Drift", "Which cameras have changed, and why?", one_camera=False)
    statistics = f"footfall_drift_score{{{CAMERA}}} / footfall_drift_threshold{{{CAMERA}}}"
    panels = [
        figure("Cameras that have changed", CHANGED),
        figure("Counts that mean something else", INVALID, about="Cameras that look elsewhere."),
        figure("Cameras judged", "count(footfall_drift_last_window_timestamp_seconds)"),
        figure(
            "Since the newest window",
            "time() - max(footfall_drift_last_window_timestamp_seconds)",
            unit="s",
            about="An hour and some minutes at most, with windows of an hour.",
        ),
        figure("Checks that failed", "sum(increase(footfall_drift_check_failures_total[$__range]))"),
        figure("Reports that failed", "sum(increase(footfall_drift_report_failures_total[$__range]))"),
        rows("What has changed", f"footfall_drift_active{{{CAMERA}}}", span=HALF, about="One row an open episode."),
        rows("Counts mean something else", f"footfall_counts_valid{{{CAMERA}}} == 0", span=HALF),
        graph(
            "Distance ÷ threshold, the ten largest",
            target(highest(f"footfall_drift_ratio{{{CAMERA}}}"), "{{camera}}"),
            about="Of the newest window of each camera; over 1 it is unusual.",
            of_cameras=True,
        ),
        graph(
            "Statistics farthest from usual, ten",
            target(highest(statistics), "{{camera}} {{statistic}}"),
            about="Distance ÷ threshold.",
            of_cameras=True,
        ),
        graph(
            "Cameras by tier",
            target(f"sum by (tier) (footfall_drift_tier{{{CAMERA}}})", "{{tier}}"),
            stacked=True,
            about="`watch` is one unusual window, `investigate` lasts.",
        ),
        graph(
            "Open episodes by cause",
            target(f"count by (cause) (footfall_drift_active{{{CAMERA}}})", "{{cause}}"),
            stacked=True,
            about="One cause on many cameras: weather, light, season or recorder rather than a camera.",
        ),
        graph(
            "Windows judged, by what they told",
            target("sum by (state) (increase(footfall_drift_windows_total[$__rate_interval]))", "{{state}}"),
            stacked=True,
            about="`insufficient` and `suppressed` are no evidence, either way.",
        ),
        graph(
            "Episodes opened, by cause",
            target("sum by (cause) (increase(footfall_drift_episodes_total[$__rate_interval]))", "{{cause}}"),
            stacked=True,
        ),
    ]
    return with_panels(built, panels)


def retraining() -> dashboard.Dashboard:
    """What is learned?"""
    about = "What is being learned, how far is it, and what came of it?"
    built = board("footfall-retraining", "Footfall · Retraining", about, one_camera=None)
    absent = "Absent while none runs, and before a run has a plan."
    panels = [
        figure("Runs now", "count(footfall_retrain_launched_timestamp_seconds) or vector(0)"),
        figure("Done", "max(footfall_retrain_done_ratio)", unit="percentunit", about=f"Of its planned time. {absent}"),
        figure(
            "Left", "max(footfall_retrain_left_seconds)", unit="s", about=f"By its plan and its own speed. {absent}"
        ),
        figure(
            "Since it told something",
            "time() - max(footfall_retrain_progress_timestamp_seconds)",
            unit="s",
            about="More than a quarter of an hour: it may be gone.",
        ),
        figure("Waiting", 'sum(footfall_retrain_requests{outcome="waiting"})', about="For who runs it, or for a slot."),
        figure("Running for", "time() - min(footfall_retrain_launched_timestamp_seconds)", unit="s", about=absent),
        rows("Stage", "footfall_retrain_stage == 1", span=HALF),
        rows(
            "Seconds since a retraining last ended so",
            "time() - max by (site, outcome) (footfall_retrain_outcome_timestamp_seconds)",
            span=HALF,
            about="`rejected` is a good end: a worse model is not in use.",
        ),
        rows("Gates that rejected the newest", "max by (site, gate) (footfall_retrain_rejected) == 1", span=HALF),
        graph(
            "Done, of the planned time",
            target("max by (site) (footfall_retrain_done_ratio)", "{{site}}"),
            unit="percentunit",
            about=absent,
        ).max(1),
        graph(
            "Loss",
            target("max by (site) (footfall_retrain_loss)", "{{site}}"),
            target("max by (site, part) (footfall_retrain_loss_part)", "{{site}}, {{part}}"),
            about="During training only: all of it, and its parts (overlap of boxes, who is a person, edges).",
        ),
        graph(
            "Steps of training",
            target("max by (site) (footfall_retrain_steps)", "{{site}}"),
            target("max by (site) (footfall_retrain_wanted_steps)", "{{site}}, in all"),
        ),
        graph(
            "Time it takes",
            target("max by (site) (footfall_retrain_planned_seconds)", "{{site}}, by its plan"),
            target("time() - min by (site) (footfall_retrain_launched_timestamp_seconds)", "{{site}}, until now"),
            unit="s",
        ),
        graph(
            "Requests by what became of them",
            target("max by (outcome) (footfall_retrain_requests)", "{{outcome}}"),
            stacked=True,
            about="All that there ever were; those that are not over by their state.",
        ),
        graph(
            "Alerts that asked",
            target("sum by (answer) (increase(footfall_retrain_asks_total[$__rate_interval]))", "{{answer}}"),
            stacked=True,
            about="`duplicate`, `active` and `cooldown` are answered and start nothing.",
        ),
        graph(
            "Starts and looks that failed",
            target("sum(increase(footfall_retrain_launch_failures_total[$__rate_interval]))", "failed"),
            about="Each is tried again; a launcher or the database is away.",
        ),
        graph(
            "What services do with models",
            target("sum by (outcome) (increase(footfall_model_swaps_total[$__rate_interval]))", "{{outcome}}"),
            target("max(footfall_canary_cameras)", "cameras that the challenger looks at"),
        ),
    ]
    return with_panels(built, panels)


def with_panels(built: dashboard.Dashboard, panels: list[object]) -> dashboard.Dashboard:
    """Lay panels out from left to right."""
    for panel in panels:
        built = built.with_panel(panel)
    return built


def dashboards() -> dict[str, str]:
    """File name → JSON."""
    made = {
        "operations.json": operations(),
        "footfall.json": business(),
        "quality.json": quality(),
        "camera.json": camera(),
        "drift.json": drift(),
        "retraining.json": retraining(),
    }
    return {
        name: json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(each.build())), indent=1, sort_keys=True) + "\n"
        for name, each in made.items()
    }


def rules_for_kubernetes() -> str:
    """The rules as what the Prometheus Operator reads; comments and all."""
    inner = "".join(
        f"  {line}" if line.strip() else line for line in RULES.read_text("utf-8").splitlines(keepends=True)
    )
    return f"""# Made of grafana/alerts/footfall.rules.yaml by `python grafana/build.py`; change that one.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: footfall
  labels: {{app.kubernetes.io/name: footfall}}
spec:
{inner}"""


def main() -> int:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    made = {FOLDER / name: content for name, content in dashboards().items()} | {OPERATOR: rules_for_kubernetes()}
    for path, content in made.items():
        path.write_text(content, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
