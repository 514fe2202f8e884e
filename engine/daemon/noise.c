/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/noise.c -- how much comes of whom: sums of reports into the database once a minute, and the figures
 * by realm, team and alert rule on /metrics (layer 6). */
#include "daemon_priv.h"

#include <stdio.h>
#include <string.h>

static const fl_usec WRITE_EVERY = 60 * FL_USEC_PER_SEC;

void noise_turn(struct engine *e, struct fl_reader *db, bool now)
{
    struct fl_err err = {0};
    struct fl_noise_count *v = NULL;
    if (!now && fl_mono() - e->noise_written_at < WRITE_EVERY)
        return;
    e->noise_written_at = fl_mono();
    FL_AUTO_ARENA arena = fl_arena_new(0);
    size_t n = arena ? fl_noise_take(e->noise, arena, &v) : 0;
    if (!n || fl_reports_add(db, e->config->realm, v, n, &err) == FL_OK)
        return;
    fl_noise_put_back(e->noise, v, n);
    fl_log_err(FL_LOG_WARN, "daemon", "the sums of reports were not written; they wait", &err);
}

/* ---- /metrics ---- */

static void escaped(struct fl_buf *b, const char *s)
{
    for (; *s; s++)
        if (*s == '\n')
            fl_buf_str(b, "\\n");
        else
            fl_buf_printf(b, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

static void family(struct fl_buf *b, const char *name, const char *help)
{
    fl_buf_printf(b, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
}

/* realm, and of whom: team or rule. */
static void line(struct fl_buf *b, const char *name, const char *realm, const char *whose, const char *of,
                 uint64_t n)
{
    fl_buf_printf(b, "%s{realm=\"", name);
    escaped(b, realm);
    fl_buf_printf(b, "\",%s=\"", whose);
    escaped(b, of);
    fl_buf_printf(b, "\"} %llu\n", (unsigned long long)n);
}

static void figures(struct fl_buf *b, const char *realm, const char *whose, const char *first_help,
                    const struct fl_team_figures *v, size_t n)
{
    static const struct {
        const char *name, *help;
        size_t at;
    } kinds[] = {
        {"alerts", NULL, offsetof(struct fl_team_figures, alerts)},
        {"silenced", "Of them kept out of incidents by a silence when they came.",
         offsetof(struct fl_team_figures, silenced)},
        {"inhibited", "Of them kept out by an inhibition.", offsetof(struct fl_team_figures, inhibited)},
        {"held", "Of them held for any other reason.", offsetof(struct fl_team_figures, held)},
        {"incidents", "Incidents opened by an alert of theirs.", offsetof(struct fl_team_figures, incidents)},
    };
    for (size_t k = 0; k < FL_ARRAY_LEN(kinds); k++) {
        char name[64];
        snprintf(name, sizeof name, "faultline_%s_%s_total", whose, kinds[k].name);
        family(b, name, kinds[k].help ? kinds[k].help : first_help);
        for (size_t i = 0; i < n; i++) {
            uint64_t figure;
            memcpy(&figure, (const char *)&v[i] + kinds[k].at, sizeof figure);
            line(b, name, realm, whose, v[i].name, figure);
        }
    }
}

/* By kind, not by silence: their number is whatever people make of it. GET /api/v1/quiet tells them apart. */
static void quiet_metrics(const struct fl_flow_stats *f, const char *realm, struct fl_buf *b)
{
    static const char *const kinds[] = {"silence", "maintenance"};
    const struct {
        const char *name, *type, *help;
        uint64_t v[2];
    } m[] = {
        {"faultline_silence_hidden_alerts",
         "gauge",
         "Firing alerts that silences, maintenance windows hide.",
         {f->hidden[0], f->hidden[1]}},
        {"faultline_silence_reminded",
         "gauge",
         "Silences, maintenance windows that a reminder was made for and that still hide as much.",
         {f->reminded[0], f->reminded[1]}},
        {"faultline_silence_reminders_total",
         "counter",
         "Reminders of silences, maintenance windows that hide much for long, or end while they hide something.",
         {f->reminders[0], f->reminders[1]}},
    };
    for (size_t k = 0; k < FL_ARRAY_LEN(m); k++) {
        fl_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", m[k].name, m[k].help, m[k].name, m[k].type);
        for (size_t i = 0; i < FL_ARRAY_LEN(kinds); i++)
            line(b, m[k].name, realm, "kind", kinds[i], m[k].v[i]);
    }
}

/* At most 64 teams and 128 alert rules, and of each "other": names are a stranger's. All of them are in the API. */
void noise_metrics(struct engine *e, const struct fl_flow_stats *f, struct fl_buf *b)
{
    const char *realm = e->config->realm;
    struct fl_team_reports teams[FL_TEAMS_MAX + 1], rules[FL_ALERT_RULES_MAX + 1];
    size_t n = fl_noise_teams(e->noise, teams);
    quiet_metrics(f, realm, b);
    family(b, "faultline_team_reports_total",
           "Firing reports since the start, repeats included, by team (its labels alone).");
    for (size_t i = 0; i < n; i++)
        line(b, "faultline_team_reports_total", realm, "team", teams[i].name, teams[i].reports);
    figures(b, realm, "team", "Alerts by team: label team, owner, or the owner of the component.", f->teams,
            f->n_teams);
    n = fl_noise_rules(e->noise, rules);
    family(b, "faultline_rule_reports_total",
           "Firing reports since the start, repeats included, by alert rule (alertname).");
    for (size_t i = 0; i < n; i++)
        line(b, "faultline_rule_reports_total", realm, "rule", rules[i].name, rules[i].reports);
    figures(b, realm, "rule", "Alerts by alert rule (alertname).", f->alert_rules, f->n_alert_rules);
}
