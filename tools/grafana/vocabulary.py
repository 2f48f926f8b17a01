"""The few words of Grafana's dashboard model that ours are written in, and their lay-out on its 24 columns."""

SCHEMA_VERSION = 39
TAG = "tutti"
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What every selector carries. `.*` also matches series without the label, so no cluster and no namespace is needed.
PLACE = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
# What tells one process from another, for joins.
PROCESS = "cluster, namespace, job, instance"
SAGAS = f'{PLACE}, definition=~"$definition"'
STEPS = f'{SAGAS}, step=~"$step"'


def query(expr, legend, instant=False, heat=False):
    target = {"datasource": DATASOURCE, "expr": " ".join(expr.split()), "legendFormat": legend}
    if instant:
        target |= {"instant": True, "range": False, "format": "table"}
    if heat:
        target["format"] = "heatmap"
    return target


def rate(metric, selector, by):
    over = f"rate({metric}{{{selector}}}[$__rate_interval])"
    return f"sum by ({by}) ({over})" if by else f"sum({over})"


def quantiles(metric, selector, by="", points=(0.5, 0.9, 0.99)):
    """One query for each point; `by` names the labels that are kept apart."""
    kept = ", ".join(filter(None, ["le", by]))
    label = " ".join(f"{{{{{name.strip()}}}}}" for name in by.split(",") if by)
    return [query(f"histogram_quantile({point}, {rate(f'{metric}_bucket', selector, kept)})",
                  f"p{round(point * 100)} {label}".strip()) for point in points]


def mean(metric, selector, by=""):
    """Of a histogram or summary, over the window."""
    return f"{rate(f'{metric}_sum', selector, by)} / {rate(f'{metric}_count', selector, by)}"


def panel(kind, title, description, unit, queries, width=8, height=8, **more):
    """`more`: `decimals`, `max`, `thresholds` (pairs of colour and value), `options`, `custom`, `transformations`."""
    defaults = {"unit": unit, "min": 0}
    for name in ("decimals", "max"):
        if name in more:
            defaults[name] = more[name]
    if "thresholds" in more:
        defaults["color"] = {"mode": "thresholds"}
        defaults["thresholds"] = {"mode": "absolute",
                                  "steps": [{"color": color, "value": value} for color, value in more["thresholds"]]}
    if "custom" in more:
        defaults["custom"] = more["custom"]
    made = {"type": kind, "title": title, "description": description, "datasource": DATASOURCE,
            "gridPos": {"w": width, "h": height}, "fieldConfig": {"defaults": defaults, "overrides": []},
            "targets": [{"refId": chr(ord("A") + place), **target} for place, target in enumerate(queries)]}
    if "options" in more:
        made["options"] = more["options"]
    if "transformations" in more:
        made["transformations"] = more["transformations"]
    return made


def lines(title, description, unit, *queries, **more):
    legend = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, unit, queries, options=legend, **more)


def areas(title, description, unit, *queries, **more):
    """Stacked: the height of all is the sum."""
    return lines(title, description, unit, *queries, custom={"fillOpacity": 20, "stacking": {"mode": "normal"}}, **more)


def stat(title, description, unit, expr, thresholds=(("green", None),), **more):
    return panel("stat", title, description, unit, [query(expr, "")], width=4, height=4, thresholds=thresholds,
                 options={"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area"}, **more)


def heatmap(title, description, metric, selector, **more):
    return panel("heatmap", title, description, "s",
                 [query(rate(f"{metric}_bucket", selector, "le"), "{{le}}", heat=True)],
                 options={"calculate": False, "color": {"scheme": "Oranges", "mode": "scheme"},
                          "yAxis": {"unit": "s"}, "cellGap": 1, "tooltip": {"mode": "single"}}, **more)


def table(title, description, unit, expr, columns, value, **more):
    """One row a series. `columns`: the labels shown, in order; `value`: the heading of the number."""
    place = {name: index for index, name in enumerate([*columns, "Value"])}
    only = {"id": "filterFieldsByName", "options": {"include": {"names": list(place)}}}
    order = {"id": "organize", "options": {"indexByName": place, "renameByName": {"Value": value}}}
    return panel("table", title, description, unit, [query(expr, "", instant=True)], transformations=[only, order],
                 **more)


def variable(name, label, values):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "query": {"query": f"label_values({values}, {name})", "refId": f"variable-{name}"}, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}


CLUSTER = variable("cluster", "Cluster", "tutti_build_info")
NAMESPACE = variable("namespace", "Namespace", 'tutti_build_info{cluster=~"$cluster"}')
JOB = variable("job", "Job", 'tutti_build_info{cluster=~"$cluster", namespace=~"$namespace"}')
DEFINITION = variable("definition", "Definition", f"tutti_sagas_started_total{{{PLACE}}}")
STEP = variable("step", "Step", f"tutti_step_attempts_total{{{SAGAS}}}")


def dashboard(uid, title, description, rows, variables=()):
    """`rows`: pairs of a heading and its panels, which fill the columns from left to right."""
    panels, top = [], 0
    for heading, members in rows:
        panels.append({"type": "row", "title": heading, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1}})
        top, left, height = top + 1, 0, 0
        for member in members:
            width = member["gridPos"]["w"]
            if left + width > COLUMNS:
                top, left, height = top + height, 0, 0
            panels.append({**member, "gridPos": {"x": left, "y": top, **member["gridPos"]}})
            left, height = left + width, max(height, member["gridPos"]["h"])
        top += height
    for number, made in enumerate(panels, 1):
        made["id"] = number
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": uid, "title": title, "description": description, "tags": [TAG], "schemaVersion": SCHEMA_VERSION,
        "editable": True, "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "timezone": "",
        "links": [{"type": "dashboards", "title": "Tutti", "tags": [TAG], "asDropdown": False, "includeVars": True,
                   "keepTime": True, "targetBlank": False}],
        "templating": {"list": [source, CLUSTER, NAMESPACE, JOB, DEFINITION, *variables]}, "annotations": {"list": []},
        "panels": panels,
    }
