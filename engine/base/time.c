/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/time.c -- clocks and RFC 3339; contract in <faultline/base.h>. */
#include <faultline/base.h>

#include <stdio.h>
#include <time.h>

static fl_usec read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (fl_usec)ts.tv_sec * FL_USEC_PER_SEC + ts.tv_nsec / 1000;
}

fl_usec fl_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

fl_usec fl_mono(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a proleptic Gregorian date; Howard Hinnant, "days_from_civil". */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static bool number(const char **s, const char *end, int digits, unsigned *ret)
{
    unsigned v = 0;
    for (int i = 0; i < digits; i++, (*s)++) {
        if (*s >= end || **s < '0' || **s > '9')
            return false;
        v = v * 10 + (unsigned)(**s - '0');
    }
    *ret = v;
    return true;
}

static bool letter(const char **s, const char *end, const char *any)
{
    for (; *s < end && *any; any++)
        if (**s == *any) {
            (*s)++;
            return true;
        }
    return false;
}

static unsigned days_in_month(unsigned y, unsigned m)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

static bool zone(const char **s, const char *end, int64_t *ret)
{
    if (letter(s, end, "Zz")) {
        *ret = 0;
        return true;
    }
    if (*s >= end || (**s != '+' && **s != '-'))
        return false;
    int64_t sign = **s == '-' ? -1 : 1;
    (*s)++;
    unsigned h, m;
    if (!number(s, end, 2, &h))
        return false;
    letter(s, end, ":");
    if (!number(s, end, 2, &m) || h > 23 || m > 59)
        return false;
    *ret = sign * (int64_t)(h * 3600 + m * 60);
    return true;
}

bool fl_time_parse(const char *s, size_t n, fl_usec *ret)
{
    const char *end = s + n;
    unsigned y, mo, d, h, mi, sec;
    if (!number(&s, end, 4, &y) || !letter(&s, end, "-") || !number(&s, end, 2, &mo) ||
        !letter(&s, end, "-") || !number(&s, end, 2, &d) || !letter(&s, end, "Tt ") ||
        !number(&s, end, 2, &h) || !letter(&s, end, ":") || !number(&s, end, 2, &mi) ||
        !letter(&s, end, ":") || !number(&s, end, 2, &sec))
        return false;
    if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 || sec > 60)
        return false;
    int64_t micros = 0, scale = 100000;
    if (letter(&s, end, ".,")) {
        if (s >= end || *s < '0' || *s > '9')
            return false;
        for (; s < end && *s >= '0' && *s <= '9'; s++, scale /= 10)
            micros += scale * (*s - '0');
    }
    int64_t offset;
    if (!zone(&s, end, &offset) || s != end)
        return false;
    if (y == 1 && mo == 1 && d == 1) {
        *ret = 0; /* Go's zero time: "not set" */
        return true;
    }
    int64_t secs = days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + (sec > 59 ? 59 : sec) - offset;
    *ret = secs * FL_USEC_PER_SEC + micros;
    return true;
}

static char *put(char *out, unsigned v, int digits, char then)
{
    for (int i = digits - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
    out[digits] = then;
    return out + digits + 1;
}

static char *format(fl_usec t, char *out, int digits)
{
    if (t == 0) {
        snprintf(out, FL_TIME_LEN, "0001-01-01T00:00:00%sZ", digits == 3 ? ".000" : "");
        return out;
    }
    int64_t secs = t / FL_USEC_PER_SEC, micros = t % FL_USEC_PER_SEC;
    if (micros < 0) {
        micros += FL_USEC_PER_SEC;
        secs--;
    }
    int64_t day = secs / 86400, rest = secs % 86400, y;
    if (rest < 0) {
        rest += 86400;
        day--;
    }
    unsigned m, d;
    civil_from_days(day, &y, &m, &d);
    y = y < 0 ? 0 : y > 9999 ? 9999 : y;
    if (digits == 3)
        micros /= 1000;
    /* By hand: a library igraph brings along puts hooks into printf that make each call several times slower. */
    char *p = put(out, (unsigned)y, 4, '-');
    p = put(p, m, 2, '-');
    p = put(p, d, 2, 'T');
    p = put(p, (unsigned)(rest / 3600), 2, ':');
    p = put(p, (unsigned)(rest / 60 % 60), 2, ':');
    p = put(p, (unsigned)(rest % 60), 2, '.');
    p = put(p, (unsigned)micros, digits, 'Z');
    *p = 0;
    return out;
}

char *fl_time_format(fl_usec t, char *out)
{
    return format(t, out, 6);
}

char *fl_time_format_ms(fl_usec t, char *out)
{
    return format(t, out, 3);
}
