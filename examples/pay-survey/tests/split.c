/* One file per region out of cps-earnings.csv: rownames,earnings,gender,age,region,education. */
#include "split.h"
#include "csv.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const split_regions[SURVEY_PARTY_COUNT] = {"Northeast", "Midwest", "South", "West"};

struct cella_bytes split_file(size_t party) {
    FILE *from = fopen(PAY_SURVEY_FOLDER "/cps-earnings.csv", "r");
    char *text = NULL, line[256];
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(from);
    assert_non_null(to);
    fputs(SURVEY_CSV_HEADER "\n", to);
    while (fgets(line, sizeof line, from) != NULL) {
        char *field[6], *at = line;
        for (size_t i = 0; i < 6; i++)
            field[i] = strsep(&at, ",\n");
        if (strcmp(field[4], split_regions[party]) == 0)
            fprintf(to, "%s,%s,%s,%s\n", field[1], field[2], field[3], field[5]);
    }
    fclose(from);
    fclose(to);
    return CELLA_BYTES(text, size);
}
