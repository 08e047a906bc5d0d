/* Calendar arithmetic on the proleptic Gregorian calendar. Knows no time zones and no leap seconds. */
#include "base/calendar.h"
#include <stdbool.h>
#include <stdio.h>

#define SECONDS_PER_DAY INT64_C(86400)
/* Days of 400 years, the calendar's cycle, and from 0000-03-01 to 1970-01-01. */
#define CYCLE_DAYS 146097
#define EPOCH_DAYS 719468

static bool is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int cella_calendar_month_days(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Counts years from March, so that a leap day is the last of its year. */
static int64_t days_from_date(int year, int month, int day) {
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t cycle = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_cycle = shifted - cycle * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    return cycle * CYCLE_DAYS + day_of_cycle - EPOCH_DAYS;
}

enum cella_status cella_calendar_to_seconds(const struct cella_date *date, int64_t *ret_seconds) {
    if (date->year < 0 || date->year > 9999 || date->month < 1 || date->month > 12 || date->day < 1 ||
        date->day > cella_calendar_month_days(date->year, date->month))
        return CELLA_ARGUMENT;
    if (date->hour < 0 || date->hour > 23 || date->minute < 0 || date->minute > 59 || date->second < 0 ||
        date->second > 59)
        return CELLA_ARGUMENT;
    *ret_seconds = days_from_date(date->year, date->month, date->day) * SECONDS_PER_DAY + date->hour * 3600 +
                   date->minute * 60 + date->second;
    return CELLA_OK;
}

struct cella_date cella_calendar_from_seconds(int64_t seconds) {
    if (seconds < CELLA_CALENDAR_MIN)
        seconds = CELLA_CALENDAR_MIN;
    if (seconds > CELLA_CALENDAR_MAX)
        seconds = CELLA_CALENDAR_MAX;
    int64_t since_year_zero = seconds - CELLA_CALENDAR_MIN;
    int second_of_day = (int)(since_year_zero % SECONDS_PER_DAY);
    /* From 0000-03-01 of the cycle before, so that every number below is positive. */
    int64_t days = since_year_zero / SECONDS_PER_DAY + CYCLE_DAYS - 60;
    int64_t cycle = days / CYCLE_DAYS;
    int64_t day_of_cycle = days % CYCLE_DAYS;
    int64_t year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
    int64_t day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    struct cella_date date = {.day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1),
                              .month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9),
                              .hour = second_of_day / 3600,
                              .minute = second_of_day / 60 % 60,
                              .second = second_of_day % 60};
    date.year = (int)(year_of_cycle + cycle * 400 - 400 + (date.month <= 2));
    return date;
}

void cella_calendar_print(int64_t seconds, char out[CELLA_CALENDAR_TEXT_SIZE]) {
    struct cella_date date = cella_calendar_from_seconds(seconds);
    char text[80];
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.year, date.month, date.day,
                   date.hour, date.minute, date.second);
    (void)snprintf(out, CELLA_CALENDAR_TEXT_SIZE, "%.20s", text);
}

enum cella_status cella_calendar_parse(struct cella_bytes text, int64_t *ret_seconds) {
    static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";
    int numbers[6] = {0};
    size_t number = 0;
    if (text.size != sizeof pattern - 1)
        return CELLA_DAMAGED;
    for (size_t at = 0; at < text.size; at++) {
        uint8_t character = text.data[at];
        if (pattern[at] != 'd') {
            if (character != (uint8_t)pattern[at])
                return CELLA_DAMAGED;
            number++;
            continue;
        }
        if (character < '0' || character > '9')
            return CELLA_DAMAGED;
        numbers[number] = numbers[number] * 10 + (character - '0');
    }
    struct cella_date date = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
    return cella_calendar_to_seconds(&date, ret_seconds) == CELLA_OK ? CELLA_OK : CELLA_DAMAGED;
}
