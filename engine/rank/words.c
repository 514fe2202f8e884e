/* SPDX-License-Identifier: GPL-3.0-or-later */
/* words.c -- what each feature says, for people who look at a model's weights. */
#include <stdio.h>
#include <string.h>

#include "rank_internal.h"

static const struct {
    const char *name, *words;
} singles[] = {
    {"rarity_share", "its share of all that is rare"},
    {"rarest_share", "its share of the rarest alerts"},
    {"rarest", "how rare its rarest alert is"},
    {"count_share", "its share of all alerts"},
    {"alerting", "it alerts at all"},
    {"most_rarity", "no other has more rare alerts"},
    {"kinds", "how many kinds of alerts it has"},
    {"entry", "it is what the page was about"},
    {"reached_from_entry", "what the page was about needs it"},
    {"explains_upstream_1", "rare alerts on what needs it directly"},
    {"explains_upstream_3", "rare alerts on what needs it, over up to three calls"},
    {"explained_below_1", "rare alerts on what it needs"},
    {"symptom_below", "something it needs shows the same symptom"},
    {"resource_below", "something it needs has run out of something"},
    {"page_class", "it shows what the page was about"},
    {"page_class_leaf", "it does, and nothing below it does"},
    {"early", "its alerts came first"},
    {"surprise", "it has more alerts of a kind than it usually has"},
    {"surprise_max", "the most unusual number of alerts of one kind"},
    {"silence", "alerts that it usually has are missing"},
    {"early_share", "its share of what was there when it began"},
    {"early_resource", "its resource alerts were there when it began"},
    {"alone", "alerts of a kind that no other has"},
    {"alone_most", "no other has more of those"},
    {"rarest_rank", "place by its rarest alert"},
    {"top5", "its share of the five rarest alerts"},
    {"diverse", "rare alerts over all kinds"},
    {"edges", "bad calls have it as their common end"},
    {"edges_both", "bad calls on both of its sides"},
    {"host", "it is a host"},
    {"host_below", "its host has resource trouble"},
    {"host_shared", "units of several services alert on this host"},
    {"store", "it is a store"},
    {"leaf", "it needs nothing else"},
    {"external", "it is seen only by its callers"},
    {"size_resource", "how far its resources are from usual"},
    {"size_latency", "how far its latency is from usual"},
    {"size_network", "how far its network is from usual"},
    {"size_error", "how far its errors are from usual"},
    {"size_share", "its share of all deviations"},
    {"size_page", "how far it deviates in what the page was about"},
    {"size_page_unexplained", "the same, beyond what lies below it"},
    {"size_page_rank", "place by that deviation"},
    {"trace_self", "time its own spans take longer"},
    {"trace_self_ratio", "the same, against usual"},
    {"trace_net_in", "network time of calls to it"},
    {"trace_net_out", "network time of calls it makes"},
    {"trace_net_ratio", "network time against usual"},
    {"trace_lost", "calls to it that vanished"},
    {"trace_lost_share", "its share of vanished calls"},
    {"trace_fewer", "it is called less"},
    {"own_error", "its share of errors that nothing below explains"},
    {"own_latency", "its share of slowness that nothing below explains"},
    {"own_network", "its share of network trouble that nothing below explains"},
    {"unexplained_error", "its errors beyond those of what it needs"},
    {"unexplained_latency", "its slowness beyond that of what it needs"},
    {"unexplained_network", "its network trouble beyond that of what it needs"},
    {"above_error", "errors of those that need it"},
    {"above_latency", "slowness of those that need it"},
    {"above_network", "network trouble of those that need it"},
    {"end_of_error", "it shows errors and nothing that it needs does"},
    {"end_of_latency", "it is slow and nothing that it needs is"},
    {"end_of_network", "it has network trouble and nothing that it needs has"},
    {"calls_bad_in", "its share of bad calls, as the one that is called"},
    {"calls_all_in", "all who call it have bad calls"},
    {"calls_all_out", "all that it calls have bad calls"},
    {"calls_bad", "the part of its calls, in and out, that is bad"},
    {"calls_worst", "the most unusual bad call it is an end of"},
    {"calls_mean", "how unusual bad calls to it are"},
    {"gap_in", "its share of calls that only their callers find bad, as the one that is called"},
    {"gap_all_in", "all who call it find their calls bad, and it does not"},
    {"gap_out", "its share of calls that only their callers find bad, as the caller"},
    {"gap_bad", "the part of its calls, in and out, that only the caller finds bad"},
    {"said_share", "its share of what is rarely said by anyone"},
    {"said_rarest", "it says what hardly anyone ever said"},
    {"said_and_rare", "the same, and it never did before"},
    {"metric_resource", "how far above usual its use of resources is measured, against others"},
    {"metric_resource_down", "how far below usual its use of resources is measured, against others"},
    {"metric_latency", "how far above usual its latency is measured, against others"},
    {"metric_latency_out", "how far above usual the latency of its calls is measured, against others"},
    {"metric_network", "how far above usual its network traffic is measured, against others"},
    {"metric_network_down", "how far below usual its network traffic is measured, against others"},
    {"metric_error", "how far from usual its errors are measured, against others"},
    {"metric_traffic_up", "how far above usual its requests are measured, against others"},
    {"metric_traffic_down", "how far below usual its requests are measured, against others"},
    {"metric_share", "its share of all that is measured far from usual, class by class"},
    {"metric_unexplained", "the same, beyond what is measured at what it needs"},
};

static const struct {
    const char *name, *words;
} kinds[] = {
    {"cpu", "CPU alerts"},
    {"memory", "memory alerts"},
    {"io", "disk and file alerts"},
    {"pool", "alerts about pools, queues and connections"},
    {"resource_down", "alerts about a resource that is used less"},
    {"net_up", "alerts about more network traffic"},
    {"net_down", "alerts about less network traffic"},
    {"net_edge", "slow network on calls to it"},
    {"error", "error alerts"},
    {"error_edge", "failed calls to it"},
    {"error_self", "errors inside it"},
    {"log_error", "error lines in its log"},
    {"log", "other unusual log lines"},
    {"latency", "latency alerts"},
    {"latency_out", "latency of calls it makes"},
    {"latency_down", "alerts about falling latency"},
    {"span", "slow calls to it"},
    {"span_self", "slow work inside it"},
    {"traffic_up", "alerts about more requests"},
    {"traffic_down", "alerts about fewer requests"},
    {"traffic_out_down", "alerts about fewer calls it makes"},
    {"availability", "availability alerts"},
    {"missing", "missing calls to it"},
    {"good", "alerts about something that got better"},
    {"other", "other alerts"},
    {"out_span", "slow calls it makes"},
    {"out_net", "slow network on calls it makes"},
    {"out_error", "failed calls it makes"},
    {"out_missing", "missing calls it should make"},
    {"named_span", "spans of others that name it"},
    {"named_error", "errors of others that name it"},
    {"named_log", "log lines of others that name it"},
};

static const char *find_kind(const char *name, size_t n)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(kinds); i++)
        if (strlen(kinds[i].name) == n && memcmp(kinds[i].name, name, n) == 0)
            return kinds[i].words;
    return NULL;
}

const char *fl_feature_words(const char *name, char *buf, size_t cap)
{
    size_t n = strcspn(name, "@"),
           skip = strncmp(name, "share_", 6) == 0 || strncmp(name, "count_", 6) == 0 ? 6 : 0;
    const char *context = name[n] ? ", when alerts have no times" : "", *words = NULL;
    for (size_t i = 0; !words && i < FL_ARRAY_LEN(singles); i++)
        if (strlen(singles[i].name) == n && memcmp(singles[i].name, name, n) == 0)
            words = singles[i].words;
    const char *kind = words || !skip ? NULL : find_kind(name + skip, n - skip);
    if (words)
        snprintf(buf, cap, "%s%s", words, context);
    else if (kind)
        snprintf(buf, cap, "%s: %s%s", name[0] == 's' ? "share" : "how many", kind, context);
    else /* newer than this table: its name says something too */
        snprintf(buf, cap, "%.*s%s", (int)n, name, context);
    for (char *p = buf; !words && !kind && *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return buf;
}
