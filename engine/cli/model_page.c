/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/model_page.c -- contract in model_page.h. */
#include "model_page.h"

#include <faultline/rank.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHTS_SHOWN = 20 };

/* ---- one model ---- */

struct weight {
    const char *name;
    double value;
};

static int by_size(const void *a, const void *b)
{
    const struct weight *x = a, *y = b;
    double d = fabs(y->value) - fabs(x->value);
    return d > 0 ? 1 : d < 0 ? -1 : strcmp(x->name, y->name);
}

static void print_weights(const struct fl_json *weights, bool all)
{
    size_t n = 0, cap = fl_feature_count(), zero = 0;
    char words[160];
    struct weight *v = calloc(cap + 1, sizeof *v);
    for (void *it = fl_json_first(weights); v && it && n < cap; it = fl_json_next(weights, it)) {
        double x = fl_json_number(fl_json_value(it), 0);
        if (x != 0)
            v[n++] = (struct weight){fl_json_key(it), x};
        else
            zero++;
    }
    if (n)
        qsort(v, n, sizeof *v, by_size);
    printf("\n%s; above 0 speaks for a candidate, below against it\n", all ? "weights" : "largest weights");
    for (size_t i = 0; i < n && (all || i < WEIGHTS_SHOWN); i++) {
        printf("  %+9.4f  ", v[i].value);
        put_padded(stdout, fl_feature_words(v[i].name, words, sizeof words), 72);
        printf("  %s\n", v[i].name);
    }
    if (n > WEIGHTS_SHOWN && !all)
        printf("  … %zu more: --all\n", n - WEIGHTS_SHOWN);
    if (zero)
        printf("  %zu features weigh nothing\n", zero);
    free(v);
}

static void fact(const char *what, const char *value)
{
    if (!value || !*value)
        return;
    printf("%-10s ", what);
    put_text(stdout, value, 0);
    putchar('\n');
}

void model_page(const struct fl_json *model, bool all)
{
    const struct fl_json *training = fl_json_get(model, "training");
    char until[64];
    fact("made from", fl_json_str(model, "note", NULL));
    if (training && fl_json_str(training, "newest", NULL))
        printf("%-10s %s\n", "data until",
               format_clock(fl_json_str(training, "newest", NULL), until, sizeof until));
    printf("%-10s %.0f %%: below it the answer is \"no convincing cause\"\n", "threshold",
           100 * fl_json_real(model, "threshold", 0));
    printf("%-10s %g: probability = softmax(scale × score)\n", "scale", fl_json_real(model, "scale", 1));
    print_weights(fl_json_get(model, "weights"), all);
}

/* ---- how they did ---- */

const char *model_share(const struct fl_json *hits, const char *right, const char *known, char *buf,
                        size_t cap)
{
    long long n = fl_json_int(hits, known, 0), k = fl_json_int(hits, right, 0);
    if (!n)
        return "-";
    snprintf(buf, cap, "%lld of %lld (%.0f %%)", k, n, 100.0 * (double)k / (double)n);
    return buf;
}

static void print_models(const struct fl_json *list)
{
    char one[64], three[64];
    printf("MODEL         AS      FIRST WAS RIGHT   CAUSE AMONG FIRST 3\n");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *m = fl_json_at(list, i);
        put_padded(stdout, fl_json_str(m, "model", ""), 12);
        printf("  %-6s  %-16s  %s\n", fl_json_str(m, "role", ""),
               model_share(m, "right1", "verdicts", one, sizeof one),
               model_share(m, "right3", "known3", three, sizeof three));
    }
}

const char *model_difference(const struct fl_json *pair, char *buf, size_t cap)
{
    enum { ENOUGH = 10 }; /* as `evaluate --compare` has it */
    long long n = fl_json_int(pair, "verdicts", 0);
    double low = fl_json_real(pair, "low", -1), high = fl_json_real(pair, "high", 1);
    snprintf(buf, cap, "%+.0f points, 95 %% interval %+.0f … %+.0f on %lld incident%s: %s",
             100 * fl_json_real(pair, "difference", 0), 100 * low, 100 * high, n, n == 1 ? "" : "s",
             n < ENOUGH ? "too few incidents to tell"
             : low > 0  ? "the shadow is better"
             : high < 0 ? "the shadow is worse"
                        : "no clear difference");
    return buf;
}

void model_pairs(const struct fl_json *list)
{
    char live[64], shadow[64], difference[160];
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *p = fl_json_at(list, i);
        printf("\nshadow %s against live %s, on the same incidents\n", fl_json_str(p, "shadow", ""),
               fl_json_str(p, "live", ""));
        printf("  first was right       live %s, shadow %s\n",
               model_share(p, "live_right1", "verdicts", live, sizeof live),
               model_share(p, "shadow_right1", "verdicts", shadow, sizeof shadow));
        printf("  cause among first 3   live %s, shadow %s\n",
               model_share(p, "live_right3", "verdicts", live, sizeof live),
               model_share(p, "shadow_right3", "verdicts", shadow, sizeof shadow));
        printf("  difference            %s\n", model_difference(p, difference, sizeof difference));
        printf("  shadow better on %lld, worse on %lld\n", (long long)fl_json_int(p, "better", 0),
               (long long)fl_json_int(p, "worse", 0));
    }
}

static void print_reliability(const struct fl_json *list)
{
    if (!fl_json_len(list))
        return;
    printf(
        "\nhow far a stated probability can be trusted\n  SAID          RANKINGS  SAID ON AVERAGE  WAS RIGHT\n");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *b = fl_json_at(list, i);
        printf("  %3.0f … %3.0f %%  %8lld  %13.0f %%  %7.0f %%\n", 100 * fl_json_real(b, "from", 0),
               100 * fl_json_real(b, "to", 0), (long long)fl_json_int(b, "rankings", 0),
               100 * fl_json_real(b, "said", 0), 100 * fl_json_real(b, "right", 0));
    }
}

void model_evaluation_page(const struct fl_json *doc)
{
    const struct fl_json *none = fl_json_get(doc, "unconvincing");
    printf("%lld verdicts\n", (long long)fl_json_int(doc, "verdicts", 0));
    if (fl_json_len(fl_json_get(doc, "models")))
        print_models(fl_json_get(doc, "models"));
    model_pairs(fl_json_get(doc, "pairs"));
    print_reliability(fl_json_get(doc, "reliability"));
    if (fl_json_int(none, "rankings", 0))
        printf("\n\"no convincing cause\" was the answer in %lld of them; the best guess was right in %lld\n",
               (long long)fl_json_int(none, "rankings", 0), (long long)fl_json_int(none, "right1", 0));
}
