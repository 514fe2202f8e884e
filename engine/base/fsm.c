/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/fsm.c -- contract in <faultline/fsm.h>. */
#include <faultline/fsm.h>

const struct fl_fsm_row *fl_fsm_find(const struct fl_fsm *m, int from, int event)
{
    for (size_t i = 0; i < m->n_rows; i++)
        if (m->rows[i].from == from && m->rows[i].event == event)
            return &m->rows[i];
    return NULL;
}

bool fl_fsm_check(const struct fl_fsm *m, int *ret_state, int *ret_event)
{
    for (int s = 0; s < m->n_states; s++)
        for (int e = 0; e < m->n_events; e++) {
            size_t n = 0;
            for (size_t i = 0; i < m->n_rows; i++)
                n += m->rows[i].from == s && m->rows[i].event == e;
            if (n != 1) {
                *ret_state = s;
                *ret_event = e;
                return false;
            }
        }
    return true;
}

void fl_fsm_dot(const struct fl_fsm *m, struct fl_buf *out)
{
    fl_buf_printf(out, "digraph \"%s\" {\n", m->name);
    for (size_t i = 0; i < m->n_rows; i++) {
        const struct fl_fsm_row *r = &m->rows[i];
        if (r->to >= 0 && r->to != r->from)
            fl_buf_printf(out, "  \"%s\" -> \"%s\" [label=\"%s: %s\"];\n", m->state_name(r->from),
                          m->state_name(r->to), m->event_name(r->event), r->reason);
    }
    fl_buf_str(out, "}\n");
}
