/* The series of the sine, 1/21!, -1/19!, ... 1/9!, and of the cosine, 1/20!, -1/18!, ... 1/8!;
   then as pairs, hi and lo, -1/7!, 1/5! and -1/3!, or -1/6!, 1/4! and -1/2!. */

#ifndef MICROGRAD_WAVE_TABLE_H
#define MICROGRAD_WAVE_TABLE_H

static const double MG_WAVE_TABLE[2][13] = {
    {0x1.71b8ef6dcf572p-66, -0x1.2f49b46814157p-57, 0x1.952c77030ad4ap-49,
     -0x1.ae7f3e733b81fp-41, 0x1.6124613a86d09p-33, -0x1.ae64567f544e4p-26,
     0x1.71de3a556c734p-19, -0x1.a01a01a01a01ap-13, -0x1.a01a01a01a01ap-73,
     0x1.1111111111111p-7, 0x1.1111111111111p-63, -0x1.5555555555555p-3,
     -0x1.5555555555555p-57},
    {0x1.e542ba4020225p-62, -0x1.6827863b97d97p-53, 0x1.ae7f3e733b81fp-45,
     -0x1.93974a8c07c9dp-37, 0x1.1eed8eff8d898p-29, -0x1.27e4fb7789f5cp-22,
     0x1.a01a01a01a01ap-16, -0x1.6c16c16c16c17p-10, 0x1.f49f49f49f49fp-65,
     0x1.5555555555555p-5, 0x1.5555555555555p-59, -0x1.0000000000000p-1,
     0x0.0p+0},
};

#endif
