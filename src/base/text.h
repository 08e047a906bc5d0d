/* Text from outside that people will read. */
#ifndef CELLA_BASE_TEXT_H
#define CELLA_BASE_TEXT_H

/* Replaces, in place, each byte with '?' that does not belong to a visible character or a space: control
 * characters (also of Unicode: C1, line separators, marks that turn the direction of writing) and what is not
 * UTF-8. So a text from a host cannot move a terminal's cursor, hide a line or start one. */
void cella_text_clean(char *text);

#endif
