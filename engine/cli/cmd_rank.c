/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_rank.c -- faultline rank: order the likely causes of one incident from files, without a server. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json.h>

#include "offline_cases.h"
#include "picture.h"

static const char usage[] =
    "usage: faultline rank --topology F --alerts F [--case DIR] [--metrics F] [--baseline F] [--traces F]\n"
    "                      [--changes F] [--entry ID] [--history DIR]... [--model F] [--explain]\n"
    "                      [--svg F] [-o json|table]\n"
    "  --case DIR   a case directory; the other options replace its parts\n"
    "  --svg F      write a picture too: cause, candidates, alerts and path in the graph\n"
    "Exit status: 0 a cause is named, 1 no convincing cause.\n";

enum {
    P_TOPOLOGY,
    P_ALERTS,
    P_CASE,
    P_METRICS,
    P_BASELINE,
    P_TRACES,
    P_CHANGES,
    P_ENTRY,
    P_MODEL,
    P_SVG,
    P_N
};

static fl_status read_parts(struct fl_off *off, const char *const *part, struct fl_off_case *c,
                            struct fl_err *err)
{
    fl_status st = FL_OK;
    if (part[P_CASE])
        st = fl_case_read(off->arena, off->cache, part[P_CASE], &c->c, err);
    if (!st && part[P_TOPOLOGY])
        st = fl_case_topology(off->arena, part[P_TOPOLOGY], &c->c.topology, err);
    if (!st && part[P_ALERTS]) {
        struct fl_alert *v;
        st = fl_case_alerts(off->arena, part[P_ALERTS], &v, &c->c.n_alerts, err);
        c->c.alerts = v;
    }
    if (!st && part[P_METRICS])
        st = fl_case_table(off->arena, part[P_METRICS], &c->c.data.metrics, err);
    if (!st && part[P_BASELINE])
        st = fl_case_table(off->arena, part[P_BASELINE], &c->c.data.baseline, err);
    if (!st && part[P_TRACES])
        st = fl_case_traces(off->arena, part[P_TRACES], &c->c.data.traces, err);
    if (!st && part[P_CHANGES]) {
        struct fl_change *v;
        st = fl_case_changes(off->arena, part[P_CHANGES], &v, &c->c.n_changes, err);
        c->c.changes = v;
    }
    if (part[P_ENTRY])
        c->c.entry = part[P_ENTRY];
    return st;
}

static void print_table(const struct fl_ranking *r, bool explain)
{
    if (!r->convincing)
        printf("no convincing cause (best %.0f %%)\n", 100 * r->confidence);
    printf("%-4s  %-40s  %-12s  %10s  %8s\n", "rank", "node", "type", "confidence", "score");
    for (size_t i = 0; i < r->n_candidates; i++) {
        const struct fl_candidate *c = &r->candidates[i];
        printf("%-4zu  %-40s  %-12s  %9.1f%%  %8.3f\n", i + 1, c->node, c->type, 100 * c->confidence,
               c->score);
        for (size_t k = 0; explain && k < c->n_contributions; k++)
            printf("      %+7.2f  %s\n", c->contributions[k].value, c->contributions[k].text);
        if (explain && c->counterfactual)
            printf("               %s\n", c->counterfactual);
    }
    if (r->culprit_text)
        printf("change: %s\n", r->culprit_text);
}

static fl_status draw(const struct fl_off_case *c, const struct fl_ranking *r, const char *file,
                      struct fl_err *err)
{
    FL_AUTO_FREE fl_vertex *at = calloc(c->c.n_alerts + 1, sizeof *at);
    if (!at)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < c->c.n_alerts; i++)
        at[i] = c->alerts[i].node;
    return picture_write(c->topo, c->c.name ? c->c.name : "Incident", r, at, c->c.n_alerts, NULL, file, err);
}

static fl_status rank_one(struct fl_off *off, struct fl_off *past, bool has_past, struct fl_off_case *c,
                          const struct fl_model *model, bool explain, bool json, bool alerts_only,
                          const char *svg, int *exit_code, struct fl_err *err)
{
    struct fl_off_set set = {.name = "rank", .cases = c, .n = 1};
    struct fl_off_topo topo;
    struct fl_ranking *r;
    fl_status st = fl_topo_new(&c->c.topology, &topo.t, err);
    if (st)
        return st;
    set.topos = &topo;
    set.n_topos = 1;
    off->sets = &set;
    off->n_sets = 1;
    st = fl_off_prepare(off, c, topo.t, err);
    if (!st && has_past)
        st = fl_off_history(off, past, err);
    if (!st && c->c.entry && c->entry < 0)
        st = fl_fail(err, FL_E_NOTFOUND, "--entry", "\"%s\" is no node of the topology", c->c.entry);
    if (!st) {
        struct fl_rank_input in = fl_off_input(&set, c);
        in.explain = explain || svg; /* a picture needs the path */
        if (alerts_only)
            in.data = NULL; /* as in the engine: without history the first day's weights rank */
        in.max_candidates = 20;
        st = fl_off_leave_out(&set, c, true); /* --history may hold this very case */
        if (!st)
            st = fl_rank(off->arena, model, &in, &r, err);
    }
    if (!st && svg)
        st = draw(c, r, svg, err);
    if (!st && json) {
        FL_AUTO_BUF out = fl_buf_init(0);
        struct fl_jw w = fl_jw_init(&out);
        fl_ranking_json(&w, NULL, r);
        printf("%s\n", out.p ? out.p : "");
    } else if (!st) {
        print_table(r, explain);
    }
    if (!st && c->n_unmapped)
        fprintf(stderr, "%zu of %zu alerts match no node of the topology\n", c->n_unmapped, c->c.n_alerts);
    if (!st)
        *exit_code = r->convincing ? 0 : 1;
    fl_off_done(off);
    *off = (struct fl_off){.arena = NULL};
    return st;
}

int fl_cmd_rank(int argc, char **argv)
{
    enum { HISTORY = 512, EXPLAIN };
    static const struct option options[] = {{"topology", required_argument, NULL, 256 + P_TOPOLOGY},
                                            {"alerts", required_argument, NULL, 256 + P_ALERTS},
                                            {"case", required_argument, NULL, 256 + P_CASE},
                                            {"metrics", required_argument, NULL, 256 + P_METRICS},
                                            {"baseline", required_argument, NULL, 256 + P_BASELINE},
                                            {"traces", required_argument, NULL, 256 + P_TRACES},
                                            {"changes", required_argument, NULL, 256 + P_CHANGES},
                                            {"entry", required_argument, NULL, 256 + P_ENTRY},
                                            {"model", required_argument, NULL, 256 + P_MODEL},
                                            {"svg", required_argument, NULL, 256 + P_SVG},
                                            {"history", required_argument, NULL, HISTORY},
                                            {"explain", no_argument, NULL, EXPLAIN},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *part[P_N] = {NULL};
    struct fl_err err = {.status = FL_OK};
    struct fl_off off, past;
    struct fl_off_case c = {.entry = -1};
    struct fl_model *model = NULL;
    bool json = false, explain = false, has_past = false;
    int opt, code = 1;
    fl_status st = fl_off_init(&off, &err);
    if (!st)
        st = fl_off_init(&past, &err);
    optind = 0;
    while (!st && (opt = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (opt >= 256 && opt < 256 + P_N) {
            part[opt - 256] = optarg;
        } else if (opt == HISTORY) {
            has_past = true;
            st = fl_off_add(&past, optarg, &err);
        } else if (opt == EXPLAIN) {
            explain = true;
        } else if (opt == 'o' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "table") == 0)) {
            json = optarg[0] == 'j';
        } else {
            fputs(usage, opt == 'h' ? stdout : stderr);
            fl_off_done(&off);
            fl_off_done(&past);
            return opt == 'h' ? 0 : 2;
        }
    }
    if (!st && optind < argc)
        st = fl_fail(&err, FL_E_USAGE, NULL, "\"%s\" is not an option of rank", argv[optind]);
    if (!st && !part[P_CASE] && (!part[P_TOPOLOGY] || !part[P_ALERTS]))
        st = fl_fail(&err, FL_E_USAGE, NULL, "rank needs --topology and --alerts, or --case");
    if (!st && part[P_MODEL])
        st = fl_off_model(part[P_MODEL], &model, &err);
    if (!st)
        st = read_parts(&off, part, &c, &err);
    if (!st)
        st = rank_one(&off, &past, has_past, &c, model ? model : fl_model_default(), explain, json,
                      !part[P_CASE] && !part[P_METRICS] && !part[P_TRACES], part[P_SVG], &code, &err);
    fl_model_free(model);
    if (off.arena)
        fl_off_done(&off);
    fl_off_done(&past);
    return st ? fl_off_error(&err) : code;
}
