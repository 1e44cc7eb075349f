"""What are the patient page's pieces made of? Plain values in, components out; nothing here asks the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dash import html

from dashboard import care, patient_reset, reason_parts, reasons, rows, text
from dashboard.shell import badge, icon, long_list
from dashboard.text import care as care_words
from dashboard.text import patient as words
from dashboard.text import reasons as reason_words
from dashboard.text import resets
from dashboard.timeline import Entry
from dashboard.wording import age, ago, clock, elapsed, full_name, instant, nhs_number, place
from schemas.episode import Severity
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME, CATALOGUE

Row = dict[str, Any]
# systolic and diastolic pressure share a card; consciousness and oxygen have no usual range
CARDS = ("respiration_rate", "spo2", "on_oxygen", "bp_systolic", "pulse", "consciousness", "temperature", "weight",
         "glucose")  # fmt: skip
_WITHOUT_RANGE = ("on_oxygen", "consciousness")


def back() -> Any:
    """The way back to the list."""
    return html.Nav(
        html.A([icon("back"), text.TRIAGE], href="/", className="inside"), className="crumbs",
        **{"aria-label": text.BACK},
    )  # fmt: skip


def crumbs(patient: Row) -> Any:
    """The way back, and where one is."""
    name = full_name(patient["given_name"], patient["family_name"])
    return html.Nav(
        [html.A([icon("back"), text.TRIAGE], href="/", className="inside"), html.Span("/", **{"aria-hidden": "true"}),
         html.Span(name, **{"aria-current": "page"})],
        className="crumbs",
        **{"aria-label": text.BACK},
    )  # fmt: skip


def ways_on(patient_id: int, enters: bool) -> Any:
    """What is done at the bedside: a set of observations, and the handover."""
    to = f"/patients/{patient_id}"
    observe = html.A(care_words.OBSERVE, href=f"{to}/observe", className="button inside") if enters else None
    handover = html.A(care_words.HANDOVER, href=f"{to}/handover", className="button quiet inside")
    return html.Div([observe, handover], className="ways-on")


def banner(patient: Row) -> Any:
    """Who this is, and what everybody must know before they act."""
    name = full_name(patient["given_name"], patient["family_name"])
    years = age(patient["born_on"], patient["now"].date())
    number = f"NHS {nhs_number(patient['nhs_number'])}" if patient["nhs_number"] else text.NO_NHS_NUMBER
    where = place(patient["site"], patient["room"])
    pathway = text.NOT_ENROLLED
    if patient["pathway"]:
        pathway = f"{patient['pathway']}, {text.POLICY_VERSION} {patient['version']}"
    facts = [
        (text.ALLERGIES, patient["allergies"] or text.NOT_RECORDED, is_allergic(patient["allergies"])),
        (text.TARGET, text.SCALE[patient["spo2_scale"]], patient["spo2_scale"] != 1),
        (text.RESUSCITATION, patient["resuscitation"] or text.NOT_RECORDED, False),
        (text.USUAL_NEWS2, text.NOT_RECORDED if patient["usual_news2"] is None else str(patient["usual_news2"]), False),
        (text.CONTACT, patient["contact"] or text.NOT_RECORDED, False),
    ]
    return html.Section(
        [
            html.Div(
                [
                    html.Div([html.H1(name), html.Span(id="patient-badge")], className="banner-name"),
                    html.P(
                        f"{years} y, {text.SEX[patient['sex']]}. {number}. {where}", className="banner-line numeric"
                    ),
                    html.P(pathway, className="banner-line"),
                ],
                className="banner-who",
            ),
            html.Dl(
                [
                    html.Div(
                        [html.Dt(label), html.Dd(value, className="alarming" if alarming else "")], className="fact"
                    )
                    for label, value, alarming in facts
                ],
                className="facts",
            ),
        ],
        className="card banner",
        **{"aria-label": name},
    )


def is_allergic(recorded: str) -> bool:
    """Whether the record names an allergy, and does not say that there is none."""
    return bool(recorded) and not recorded.lower().startswith(("no ", "none", "nil", "nkda"))


def open_episodes(
    episodes: Sequence[Row], details: Mapping[int, Row], at: rows.Situation, patient: Row, now: datetime, allowed: bool
) -> Any:
    """Each open episode with why, since when, and who has taken it on."""
    if not episodes:
        return html.Section([html.H2(text.EPISODES), html.P(text.NO_OPEN_EPISODES, className="muted")],
                            className="card section")  # fmt: skip
    return html.Section(
        [
            html.H2(text.EPISODES),
            *(_episode(e, details.get(e["episode_id"], e), at, patient, now, allowed) for e in episodes),
        ],
        className="card section",
    )


def _episode(episode: Row, detail: Row, at: rows.Situation, patient: Row, now: datetime, allowed: bool) -> Any:
    """One episode of the patient whose situation is row 0."""
    severity = Severity(episode["severity"])
    reason = reasons.reason(episode, at, 0, lambda seen: clock(seen, patient["time_zone"], now))
    since = clock(episode["since"], patient["time_zone"], now)
    meta = [f"{text.OPEN_SINCE} {since}, {elapsed((now - episode['since']).total_seconds())}"]
    if detail.get("retrospective"):
        meta.append(text.OUTSIDE_TIME)
    acts: list[Any] = []
    if episode["acknowledged_at"] is not None:
        taken = clock(episode["acknowledged_at"], patient["time_zone"], now)
        meta.append(f"{text.ACKNOWLEDGED} by {detail.get('acknowledged_name') or '–'}, {taken}")
    elif allowed:
        acts.append(html.Button(
            text.ACKNOWLEDGE,
            id={"kind": "acknowledge", "episode": episode["episode_id"]},
            className="button",
            type="button",
            **{"aria-label": f"{text.ACKNOWLEDGE}: {reason.why}"},
        ))  # fmt: skip
    if episode["waits_for_reset"]:
        meta.append(resets.WAITS)
        acts += [patient_reset.button(episode)] if allowed else []
    why, step = detail.get("explanation") or {}, care.step(at.standards[0], detail | episode)
    return html.Div(
        [
            badge(int(severity), text.SEVERITY[severity]),
            html.Div(reason_parts.told(reason), className="episode-sentence"),
            html.Div(acts, className="episode-acts") if acts else None,
            html.Div(step, className="episode-advice") if step else None,
            html.Div(". ".join(meta), className="episode-meta"),
            _why(why, episode["episode_id"]) if why.get("title") else None,
        ],
        className=f"episode level-{severity:d}",
    )


def _why(why: Row, episode: int) -> Any:
    """The rule, its version and source, and the values that met it."""
    values = why.get("values") or {}
    told = [BY_NAME[n].short_label + " " + BY_NAME[n].format(v) for n, v in values.items() if v is not None]
    missing = [BY_NAME[n].label.lower() for n in why.get("silent") or [n for n, v in values.items() if v is None]]
    limits = [f"{text.SEVERITY[Severity.of(word)]} {limit:g}" for word, limit in (why.get("thresholds") or {}).items()]
    facts = [
        (text.WHY_RULE, why["title"]),
        (text.WHY_VALUES, ", ".join(told)),
        (text.WHY_MISSING, ", ".join(missing)),
        (text.WHY_LIMITS, ", ".join(limits)),
        (
            text.WHY_POLICY,
            f"{why.get('policy', '')}, {text.POLICY_VERSION} {why.get('version', '')}, {why.get('author', '')}",
        ),
        (text.WHY_SOURCE, why.get("source", "")),
    ]
    listed = [part for label, value in facts if value for part in (html.Dt(label), html.Dd(value))]
    again = html.Div(
        [
            html.Button(words.REPLAY, type="button", className="quiet-button", title=words.REPLAY_HINT,
                        **{"data-replay": str(episode)}),
            html.Span(className="replay-said", role="status"),
        ],
        className="replay",
    )  # fmt: skip
    return html.Details([html.Summary(text.WHY), html.Dl(listed), again], className="episode-why")


def vitals(at: rows.Situation, patient: Row, usual: Mapping[int, tuple[float, float]], now: datetime) -> list[Any]:
    """The cards: NEWS2, then each vital sign that this patient has ever had observed."""
    cards = [_score_card(at, patient)] if at.standards[0] is not None and at.standards[0].score_rule else []
    for name in CARDS:
        code = BY_NAME[name].code
        cell = rows.value_cell(at, 0, code)
        if cell is None:
            continue
        partner = rows.value_cell(at, 0, BY_NAME["bp_diastolic"].code) if name == "bp_systolic" else None
        label = text.BLOOD_PRESSURE if partner else CATALOGUE[code - 1].label
        shown = f"{cell['text']}/{partner['text']}" if partner else cell["text"]
        level = max(cell["level"], partner["level"] if partner else 0)
        foot = [ago((now - instant(cell["at"] * 1000)).total_seconds())]
        if cell["stale"]:
            foot.append(reason_words.BEFORE_CHANGE if cell["doubted"] else text.STALE_SHORT)
        unit = text.ACVPU.get(shown, "") if name == "consciousness" else CATALOGUE[code - 1].display_unit
        cards.append(_card(label, shown, unit, level, cell["stale"], ", ".join(foot), _usual(name, usual)))
    return cards or [html.P(text.NO_OBSERVATIONS, className="muted")]


def _usual(name: str, usual: Mapping[int, tuple[float, float]]) -> str:
    sign = BY_NAME[name]
    if name in _WITHOUT_RANGE or sign.code not in usual:
        return ""
    low, high = usual[sign.code]
    first = f"{text.USUAL} {low:.{sign.decimals}f}–{high:.{sign.decimals}f}"
    other = BY_NAME["bp_diastolic"].code
    if name == "bp_systolic" and other in usual:
        low, high = usual[other]
        return f"{first} / {low:.0f}–{high:.0f}"
    return first


def _card(label: str, shown: str, unit: str, level: int, stale: bool, foot: str, usual: str) -> Any:
    names = f"vital-value level-{level}" + (" beyond" if level else "") + (" stale" if stale else "")
    return html.Div(
        [
            html.Div(
                [icon(f"level-{level}") if level else None, label], className=f"vital-label count-label level-{level}"
            ),
            html.Div([html.Span(shown), html.Span(unit, className="vital-unit")], className=names),
            html.Div(foot, className="vital-foot"),
            html.Div(usual, className="vital-foot numeric") if usual else None,
        ],
        className="card vital",
    )


def _score_card(at: rows.Situation, patient: Row) -> Any:
    cell = rows.score_cell(at, 0)
    usual = "" if patient["usual_news2"] is None else f"{text.USUAL} {patient['usual_news2']}"
    if cell is None:
        return _card(text.NEWS2, "–", "", 0, True, text.STALE_SHORT, usual)
    names = f"vital-value level-{cell['level']}" + (" beyond" if cell["level"] else "")
    shown = html.Span(cell["text"], className="" if cell["complete"] else "range", title=cell["title"])
    level = cell["level"]
    missing = (
        text.COMPLETE if cell["complete"] else text.missing([CATALOGUE[c - 1].label.lower() for c in cell["missing"]])
    )
    return html.Div(
        [
            html.Div(
                [icon(f"level-{level}") if level else None, text.NEWS2],
                className=f"vital-label count-label level-{level}",
            ),
            html.Div(shown, className=names),
            html.Div(missing, className="vital-foot"),
            html.Div(usual, className="vital-foot") if usual else None,
        ],
        className="card vital",
    )


def legend() -> Any:
    """What the marks of the charts mean."""
    marks = (("", text.LEGEND_LIMIT), ("range", text.LEGEND_RANGE), ("repeat", text.SUSPECTED_REPEAT),
             ("bounds", text.LEGEND_BOUNDS), ("shade", text.LEGEND_EPISODE), ("gap", words.GAP), ("pause", words.PAUSE),
             ("mark", words.MARK))  # fmt: skip
    return html.Div([html.Span([html.I(className=mark), words]) for mark, words in marks], className="legend")


def timeline_section(patient: Row) -> Any:
    """The frame of the timeline."""
    return html.Section(
        [html.H2(text.TIMELINE), html.Div(html.P(text.LOADING, className="muted"), id="patient-timeline")],
        className="card section",
    )


def timeline_list(entries: Sequence[Entry], zone: str, now: datetime) -> Any:
    """The timeline itself, newest first."""
    if not entries:
        return html.P(text.NOTHING_YET, className="muted")
    return html.Ol([_entry(e, zone, now) for e in entries], className="timeline")


def _entry(entry: Entry, zone: str, now: datetime) -> Any:
    return html.Li(
        [
            html.Span(icon(entry.icon), className="timeline-dot"),
            html.Div(entry.title, className="timeline-title"),
            html.Div(entry.body, className="timeline-body") if entry.body else None,
            html.Time(clock(entry.at, zone, now), dateTime=entry.at.isoformat(), className="timeline-at numeric"),
        ],
        className=f"level-{entry.level}",
    )


def devices_section(devices: Sequence[Row], zone: str, now: datetime) -> Any:
    """The devices that this patient has now, and when each was last heard."""
    listed: Any = html.P(text.NO_DEVICES, className="muted")
    if devices:
        listed = html.Ul([html.Li(_device(d, zone, now)) for d in devices], className="devices")
    return html.Section([html.H2(text.DEVICES), listed], className="card section")


def _device(device: Row, zone: str, now: datetime) -> list[Any]:
    through = f", {text.SPEAKS_THROUGH} {device['hub']}" if device["hub"] else ""
    kind = text.DEVICE_KINDS.get(device["kind"], device["kind"])
    heard = f"{words.LAST_HEARD} {clock(device['last_at'], zone, now)}" if device["last_at"] else words.NEVER_HEARD
    state = "state state-good" if device["last_at"] and now - device["last_at"] < RECENT else "state"
    return [html.Strong(kind), html.Span(f"{device['code']}{through}", className="muted"),
            html.Span(heard, className=state)]  # fmt: skip


RECENT = timedelta(hours=24)
"""A device that was heard within this time reports."""


def observation_table(observed: Sequence[Row], zone: str, now: datetime) -> Any:
    """The observations with their quality, newest first."""
    if not observed:
        return html.P(text.NO_OBSERVATIONS, className="empty")
    return long_list("observations", text.OBSERVATIONS, COLUMNS, [_observation(o, zone, now) for o in observed])


_FIELDS = ("observed", "vital", "value", "quality", "device", "received")
COLUMNS = [{"field": f, "headerName": name} for f, name in zip(_FIELDS, text.OBSERVATION_COLUMNS, strict=True)]


def _observation(row: Row, zone: str, now: datetime) -> dict[str, str]:
    sign = CATALOGUE[row["vital"] - 1]
    late = (row["received_at"] - row["observed_at"]).total_seconds()
    return {
        "observed": clock(row["observed_at"], zone, now),
        "vital": sign.label,
        "value": sign.format(row["value"]),
        "quality": ", ".join(words for bit, words in text.FLAG_WORDS.items() if row["flags"] & bit) or "–",
        "device": row["device"] or "–",
        "received": text.received(elapsed(late)) if late >= text.LATE_S else text.AT_ONCE,
    }


assert {f.value for f in Flag} == set(text.FLAG_WORDS), "every quality flag has its words"
