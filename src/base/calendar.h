/* Dates of the Gregorian calendar in UTC, without leap seconds: Unix seconds to and from their parts and ISO
 * 8601 text. Must not ask what time it is. */
#ifndef CELLA_BASE_CALENDAR_H
#define CELLA_BASE_CALENDAR_H

#include <cella/bytes.h>
#include <cella/status.h>

struct cella_date {
    int year;   /* 0 to 9999 */
    int month;  /* 1 to 12 */
    int day;    /* 1 to the month's last */
    int hour;   /* 0 to 23 */
    int minute; /* 0 to 59 */
    int second; /* 0 to 59 */
};

#define CELLA_CALENDAR_MIN INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define CELLA_CALENDAR_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* CELLA_ARGUMENT: there is no such date. */
enum cella_status cella_calendar_to_seconds(const struct cella_date *date, int64_t *ret_seconds);
/* Seconds outside the four-digit years give the nearest end. */
struct cella_date cella_calendar_from_seconds(int64_t seconds);

/* The last day of a month, 28 to 31. */
int cella_calendar_month_days(int year, int month);

#define CELLA_CALENDAR_TEXT_SIZE 21
/* "2026-02-05T09:00:00Z" with a terminator. */
void cella_calendar_print(int64_t seconds, char out[CELLA_CALENDAR_TEXT_SIZE]);

/* Reads exactly "YYYY-MM-DDTHH:MM:SSZ". CELLA_DAMAGED. */
enum cella_status cella_calendar_parse(struct cella_bytes text, int64_t *ret_seconds);

#endif
