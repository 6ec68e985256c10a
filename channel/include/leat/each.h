/* Walking over up to 64 macro arguments: LEAT_EACH_(visit, context, a, b, …) is visit(context, a)
 * visit(context, b) … The lists are written out, because C11 has no other way that compilers explain well
 * when something is wrong. */
#ifndef LEAT_EACH_H
#define LEAT_EACH_H

#define LEAT_JOIN_(a, b) LEAT_JOIN__(a, b)
#define LEAT_JOIN__(a, b) a##b

#define LEAT_COUNT_(...) LEAT_COUNT__(__VA_ARGS__, more_than_64_fields, more_than_64_fields, \
        more_than_64_fields, more_than_64_fields, more_than_64_fields, more_than_64_fields, \
        more_than_64_fields, more_than_64_fields, more_than_64_fields, more_than_64_fields, \
        more_than_64_fields, more_than_64_fields, more_than_64_fields, more_than_64_fields, \
        more_than_64_fields, more_than_64_fields, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, \
        51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, \
        27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, \
        1, ~)
#define LEAT_COUNT__(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, \
        a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, \
        a38, a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, \
        a57, a58, a59, a60, a61, a62, a63, a64, a65, a66, a67, a68, a69, a70, a71, a72, a73, a74, a75, \
        a76, a77, a78, a79, a80, n, ...) n

#define LEAT_EACH_(visit, context, ...) LEAT_JOIN_(LEAT_EACH_, LEAT_COUNT_(__VA_ARGS__))(visit, context, __VA_ARGS__)

#define LEAT_EACH_1(visit, context, a) visit(context, a)
#define LEAT_EACH_2(visit, context, a, ...) visit(context, a) LEAT_EACH_1(visit, context, __VA_ARGS__)
#define LEAT_EACH_3(visit, context, a, ...) visit(context, a) LEAT_EACH_2(visit, context, __VA_ARGS__)
#define LEAT_EACH_4(visit, context, a, ...) visit(context, a) LEAT_EACH_3(visit, context, __VA_ARGS__)
#define LEAT_EACH_5(visit, context, a, ...) visit(context, a) LEAT_EACH_4(visit, context, __VA_ARGS__)
#define LEAT_EACH_6(visit, context, a, ...) visit(context, a) LEAT_EACH_5(visit, context, __VA_ARGS__)
#define LEAT_EACH_7(visit, context, a, ...) visit(context, a) LEAT_EACH_6(visit, context, __VA_ARGS__)
#define LEAT_EACH_8(visit, context, a, ...) visit(context, a) LEAT_EACH_7(visit, context, __VA_ARGS__)
#define LEAT_EACH_9(visit, context, a, ...) visit(context, a) LEAT_EACH_8(visit, context, __VA_ARGS__)
#define LEAT_EACH_10(visit, context, a, ...) visit(context, a) LEAT_EACH_9(visit, context, __VA_ARGS__)
#define LEAT_EACH_11(visit, context, a, ...) visit(context, a) LEAT_EACH_10(visit, context, __VA_ARGS__)
#define LEAT_EACH_12(visit, context, a, ...) visit(context, a) LEAT_EACH_11(visit, context, __VA_ARGS__)
#define LEAT_EACH_13(visit, context, a, ...) visit(context, a) LEAT_EACH_12(visit, context, __VA_ARGS__)
#define LEAT_EACH_14(visit, context, a, ...) visit(context, a) LEAT_EACH_13(visit, context, __VA_ARGS__)
#define LEAT_EACH_15(visit, context, a, ...) visit(context, a) LEAT_EACH_14(visit, context, __VA_ARGS__)
#define LEAT_EACH_16(visit, context, a, ...) visit(context, a) LEAT_EACH_15(visit, context, __VA_ARGS__)
#define LEAT_EACH_17(visit, context, a, ...) visit(context, a) LEAT_EACH_16(visit, context, __VA_ARGS__)
#define LEAT_EACH_18(visit, context, a, ...) visit(context, a) LEAT_EACH_17(visit, context, __VA_ARGS__)
#define LEAT_EACH_19(visit, context, a, ...) visit(context, a) LEAT_EACH_18(visit, context, __VA_ARGS__)
#define LEAT_EACH_20(visit, context, a, ...) visit(context, a) LEAT_EACH_19(visit, context, __VA_ARGS__)
#define LEAT_EACH_21(visit, context, a, ...) visit(context, a) LEAT_EACH_20(visit, context, __VA_ARGS__)
#define LEAT_EACH_22(visit, context, a, ...) visit(context, a) LEAT_EACH_21(visit, context, __VA_ARGS__)
#define LEAT_EACH_23(visit, context, a, ...) visit(context, a) LEAT_EACH_22(visit, context, __VA_ARGS__)
#define LEAT_EACH_24(visit, context, a, ...) visit(context, a) LEAT_EACH_23(visit, context, __VA_ARGS__)
#define LEAT_EACH_25(visit, context, a, ...) visit(context, a) LEAT_EACH_24(visit, context, __VA_ARGS__)
#define LEAT_EACH_26(visit, context, a, ...) visit(context, a) LEAT_EACH_25(visit, context, __VA_ARGS__)
#define LEAT_EACH_27(visit, context, a, ...) visit(context, a) LEAT_EACH_26(visit, context, __VA_ARGS__)
#define LEAT_EACH_28(visit, context, a, ...) visit(context, a) LEAT_EACH_27(visit, context, __VA_ARGS__)
#define LEAT_EACH_29(visit, context, a, ...) visit(context, a) LEAT_EACH_28(visit, context, __VA_ARGS__)
#define LEAT_EACH_30(visit, context, a, ...) visit(context, a) LEAT_EACH_29(visit, context, __VA_ARGS__)
#define LEAT_EACH_31(visit, context, a, ...) visit(context, a) LEAT_EACH_30(visit, context, __VA_ARGS__)
#define LEAT_EACH_32(visit, context, a, ...) visit(context, a) LEAT_EACH_31(visit, context, __VA_ARGS__)
#define LEAT_EACH_33(visit, context, a, ...) visit(context, a) LEAT_EACH_32(visit, context, __VA_ARGS__)
#define LEAT_EACH_34(visit, context, a, ...) visit(context, a) LEAT_EACH_33(visit, context, __VA_ARGS__)
#define LEAT_EACH_35(visit, context, a, ...) visit(context, a) LEAT_EACH_34(visit, context, __VA_ARGS__)
#define LEAT_EACH_36(visit, context, a, ...) visit(context, a) LEAT_EACH_35(visit, context, __VA_ARGS__)
#define LEAT_EACH_37(visit, context, a, ...) visit(context, a) LEAT_EACH_36(visit, context, __VA_ARGS__)
#define LEAT_EACH_38(visit, context, a, ...) visit(context, a) LEAT_EACH_37(visit, context, __VA_ARGS__)
#define LEAT_EACH_39(visit, context, a, ...) visit(context, a) LEAT_EACH_38(visit, context, __VA_ARGS__)
#define LEAT_EACH_40(visit, context, a, ...) visit(context, a) LEAT_EACH_39(visit, context, __VA_ARGS__)
#define LEAT_EACH_41(visit, context, a, ...) visit(context, a) LEAT_EACH_40(visit, context, __VA_ARGS__)
#define LEAT_EACH_42(visit, context, a, ...) visit(context, a) LEAT_EACH_41(visit, context, __VA_ARGS__)
#define LEAT_EACH_43(visit, context, a, ...) visit(context, a) LEAT_EACH_42(visit, context, __VA_ARGS__)
#define LEAT_EACH_44(visit, context, a, ...) visit(context, a) LEAT_EACH_43(visit, context, __VA_ARGS__)
#define LEAT_EACH_45(visit, context, a, ...) visit(context, a) LEAT_EACH_44(visit, context, __VA_ARGS__)
#define LEAT_EACH_46(visit, context, a, ...) visit(context, a) LEAT_EACH_45(visit, context, __VA_ARGS__)
#define LEAT_EACH_47(visit, context, a, ...) visit(context, a) LEAT_EACH_46(visit, context, __VA_ARGS__)
#define LEAT_EACH_48(visit, context, a, ...) visit(context, a) LEAT_EACH_47(visit, context, __VA_ARGS__)
#define LEAT_EACH_49(visit, context, a, ...) visit(context, a) LEAT_EACH_48(visit, context, __VA_ARGS__)
#define LEAT_EACH_50(visit, context, a, ...) visit(context, a) LEAT_EACH_49(visit, context, __VA_ARGS__)
#define LEAT_EACH_51(visit, context, a, ...) visit(context, a) LEAT_EACH_50(visit, context, __VA_ARGS__)
#define LEAT_EACH_52(visit, context, a, ...) visit(context, a) LEAT_EACH_51(visit, context, __VA_ARGS__)
#define LEAT_EACH_53(visit, context, a, ...) visit(context, a) LEAT_EACH_52(visit, context, __VA_ARGS__)
#define LEAT_EACH_54(visit, context, a, ...) visit(context, a) LEAT_EACH_53(visit, context, __VA_ARGS__)
#define LEAT_EACH_55(visit, context, a, ...) visit(context, a) LEAT_EACH_54(visit, context, __VA_ARGS__)
#define LEAT_EACH_56(visit, context, a, ...) visit(context, a) LEAT_EACH_55(visit, context, __VA_ARGS__)
#define LEAT_EACH_57(visit, context, a, ...) visit(context, a) LEAT_EACH_56(visit, context, __VA_ARGS__)
#define LEAT_EACH_58(visit, context, a, ...) visit(context, a) LEAT_EACH_57(visit, context, __VA_ARGS__)
#define LEAT_EACH_59(visit, context, a, ...) visit(context, a) LEAT_EACH_58(visit, context, __VA_ARGS__)
#define LEAT_EACH_60(visit, context, a, ...) visit(context, a) LEAT_EACH_59(visit, context, __VA_ARGS__)
#define LEAT_EACH_61(visit, context, a, ...) visit(context, a) LEAT_EACH_60(visit, context, __VA_ARGS__)
#define LEAT_EACH_62(visit, context, a, ...) visit(context, a) LEAT_EACH_61(visit, context, __VA_ARGS__)
#define LEAT_EACH_63(visit, context, a, ...) visit(context, a) LEAT_EACH_62(visit, context, __VA_ARGS__)
#define LEAT_EACH_64(visit, context, a, ...) visit(context, a) LEAT_EACH_63(visit, context, __VA_ARGS__)

#endif
