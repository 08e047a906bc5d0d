/* Periods and their calendar arithmetic. */
#include "attest/period.h"
#include "base/calendar.h"
#include "support/test.h"
#include <string.h>

static void assert_later(const char *from, const char *period, const char *expected) {
    struct cella_period parsed;
    int64_t seconds = 0;
    char text[CELLA_CALENDAR_TEXT_SIZE];
    assert_status(cella_period_parse(CELLA_BYTES(period, strlen(period)), &parsed), CELLA_OK);
    assert_status(cella_calendar_parse(CELLA_BYTES(from, strlen(from)), &seconds), CELLA_OK);
    cella_calendar_print(cella_period_add(seconds, &parsed), text);
    assert_string_equal(text, expected);
}

static void months_clamp_to_the_last_day(void **state) {
    assert_later("2023-01-31T12:00:00Z", "P1M", "2023-02-28T12:00:00Z");
    assert_later("2024-01-31T12:00:00Z", "P1M", "2024-02-29T12:00:00Z");
    assert_later("2024-02-29T00:00:01Z", "P1Y", "2025-02-28T00:00:01Z");
    assert_later("2024-02-29T00:00:00Z", "P4Y", "2028-02-29T00:00:00Z");
    assert_later("2023-08-31T23:59:59Z", "P6M", "2024-02-29T23:59:59Z");
    assert_later("2023-12-15T00:00:00Z", "P1M", "2024-01-15T00:00:00Z");
}

static void weeks_and_days_follow_after_months(void **state) {
    assert_later("2023-01-31T00:00:00Z", "P1M1D", "2023-03-01T00:00:00Z");
    assert_later("2023-01-01T00:00:00Z", "P6M2W5D", "2023-07-20T00:00:00Z");
    assert_later("1999-12-31T00:00:00Z", "P1D", "2000-01-01T00:00:00Z");
    assert_later("2023-01-01T00:00:00Z", "P0D", "2023-01-01T00:00:00Z");
}

static void the_calendar_ends(void **state) {
    assert_later("2023-01-01T00:00:00Z", "P99999Y99999M99999W99999D", "9999-12-31T23:59:59Z");
    assert_later("9999-12-31T00:00:00Z", "P1D", "9999-12-31T23:59:59Z");
}

static void periods_print_as_they_are_written(void **state) {
    static const char *const texts[] = {"P6M2W5D", "P1Y", "P12M", "P52W", "P0D", "P99999Y99999M99999W99999D"};
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) {
        struct cella_period period;
        char text[CELLA_PERIOD_TEXT_SIZE];
        assert_status(cella_period_parse(CELLA_BYTES(texts[at], strlen(texts[at])), &period), CELLA_OK);
        cella_period_print(&period, text);
        assert_string_equal(text, texts[at]);
    }
}

static void dates_go_there_and_back(void **state) {
    for (int64_t seconds = CELLA_CALENDAR_MIN; seconds < CELLA_CALENDAR_MAX; seconds += INT64_C(7654321)) {
        char text[CELLA_CALENDAR_TEXT_SIZE];
        int64_t again = 0;
        cella_calendar_print(seconds, text);
        assert_status(cella_calendar_parse(CELLA_BYTES(text, strlen(text)), &again), CELLA_OK);
        assert_true(again == seconds);
    }
}

static void known_dates_are_right(void **state) {
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00Z"},
                {951782400, "2000-02-29T00:00:00Z"},
                {1700000000, "2023-11-14T22:13:20Z"},
                {-1, "1969-12-31T23:59:59Z"},
                {CELLA_CALENDAR_MIN, "0000-01-01T00:00:00Z"},
                {CELLA_CALENDAR_MAX, "9999-12-31T23:59:59Z"},
                {INT64_MAX, "9999-12-31T23:59:59Z"},
                {INT64_MIN, "0000-01-01T00:00:00Z"}};
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++) {
        char text[CELLA_CALENDAR_TEXT_SIZE];
        cella_calendar_print(rows[at].seconds, text);
        assert_string_equal(text, rows[at].text);
    }
}

static void dates_that_do_not_exist_are_refused(void **state) {
    static const char *const texts[] = {
        "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-01-00T00:00:00Z",
        "2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z", "2023-01-01T00:00:60Z", "2023-01-01T00:00:00",
        "2023-01-01 00:00:00Z", "2023-1-01T00:00:000Z", "2023-01-01T00:00:00z", "1900-02-29T00:00:00Z"};
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) {
        int64_t seconds = 0;
        assert_status(cella_calendar_parse(CELLA_BYTES(texts[at], strlen(texts[at])), &seconds),
                      CELLA_DAMAGED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_clamp_to_the_last_day),
        cmocka_unit_test(weeks_and_days_follow_after_months),
        cmocka_unit_test(the_calendar_ends),
        cmocka_unit_test(periods_print_as_they_are_written),
        cmocka_unit_test(dates_go_there_and_back),
        cmocka_unit_test(known_dates_are_right),
        cmocka_unit_test(dates_that_do_not_exist_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
