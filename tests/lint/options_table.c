/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/lint/options_table.c -- the option table as Markdown, for docs/reference/configuration.md. */
#include <faultline/config.h>

#include <ctype.h>
#include <stdio.h>

static void upper(const char *name)
{
    for (; *name; name++)
        putchar(toupper((unsigned char)*name));
}

int main(void)
{
    size_t n = 0;
    const struct fl_option *o = fl_config_options(&n);
    puts("| option | type | default | what | environment | at a reload |\n|---|---|---|---|---|---|");
    for (size_t i = 0; i < n; i++) {
        printf("| `%s` | %s%s%s | %s%s%s | %s | ", o[i].name, o[i].type, o[i].unit[0] ? ", " : "", o[i].unit,
               o[i].dflt[0] ? "`" : "", o[i].dflt, o[i].dflt[0] ? "`" : "", o[i].help);
        printf("`FAULTLINE_");
        upper(o[i].name);
        printf("` | %s |\n", o[i].reloadable ? "yes" : "restart");
    }
    return 0;
}
