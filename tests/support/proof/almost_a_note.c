/* What is not the note to the letter (see note.c) is a report. */
#include <sanitizer/common_interface_defs.h>

int main(void) {
        __sanitizer_report_error_summary("==29319==Unable to get registers from thread 29312. Bailing out.");
        return 0;
}
