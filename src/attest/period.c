/* Periods. Must not use the machine's time zone or clock. */
#include "attest/period.h"
#include "base/calendar.h"
#include <stdbool.h>
#include <stdio.h>

#define NUMBER_MAX      99999
#define SECONDS_PER_DAY INT64_C(86400)

/* The place of a unit's letter in "YMWD", 4 for any other character. */
static size_t unit_index(uint8_t letter) {
    static const char units[] = "YMWD";
    size_t index = 0;
    while (index < 4 && (uint8_t)units[index] != letter)
        index++;
    return index;
}

enum cella_status cella_period_parse(struct cella_bytes text, struct cella_period *ret_period) {
    uint32_t numbers[4] = {0};
    size_t next_unit = 0;
    size_t at = 1;
    if (text.size < 3 || text.data[0] != 'P')
        return CELLA_DAMAGED;
    while (at < text.size) {
        uint32_t number = 0;
        size_t start = at;
        for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
            number = number * 10 + (uint32_t)(text.data[at] - '0');
            if (number > NUMBER_MAX)
                return CELLA_DAMAGED;
        }
        if (at == start || at == text.size)
            return CELLA_DAMAGED;
        size_t unit = unit_index(text.data[at++]);
        if (unit == 4 || unit < next_unit)
            return CELLA_DAMAGED;
        numbers[unit] = number;
        next_unit = unit + 1;
    }
    *ret_period = (struct cella_period){numbers[0], numbers[1], numbers[2], numbers[3]};
    return CELLA_OK;
}

void cella_period_print(const struct cella_period *period, char out[CELLA_PERIOD_TEXT_SIZE]) {
    const uint32_t numbers[4] = {period->years, period->months, period->weeks, period->days};
    size_t at = 1;
    (void)snprintf(out, CELLA_PERIOD_TEXT_SIZE, "P");
    for (size_t unit = 0; unit < 4; unit++) {
        if (numbers[unit] == 0 && !(unit == 3 && at == 1))
            continue;
        int written =
            snprintf(out + at, CELLA_PERIOD_TEXT_SIZE - at, "%u%c", (unsigned)numbers[unit], "YMWD"[unit]);
        at += (size_t)written;
    }
}

int64_t cella_period_add(int64_t seconds, const struct cella_period *period) {
    struct cella_date date = cella_calendar_from_seconds(seconds);
    int64_t months = (int64_t)date.year * 12 + date.month - 1 + (int64_t)period->years * 12 + period->months;
    if (months / 12 > 9999)
        return CELLA_CALENDAR_MAX;
    date.year = (int)(months / 12);
    date.month = (int)(months % 12) + 1;
    int last = cella_calendar_month_days(date.year, date.month);
    if (date.day > last)
        date.day = last;
    int64_t later = CELLA_CALENDAR_MAX;
    if (cella_calendar_to_seconds(&date, &later) != CELLA_OK)
        return CELLA_CALENDAR_MAX;
    later += ((int64_t)period->weeks * 7 + period->days) * SECONDS_PER_DAY;
    return later < CELLA_CALENDAR_MAX ? later : CELLA_CALENDAR_MAX;
}
