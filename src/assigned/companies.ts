// Assigned Numbers 7, company identifiers: those that are often met. "value name".
export const COMPANIES = `
0000 Ericsson AB
0001 Nokia Mobile Phones
0002 Intel Corp.
0003 IBM Corp.
0004 Toshiba Corp.
0005 3Com
0006 Microsoft
000a Qualcomm Technologies International, Ltd. (QTIL)
000d Texas Instruments Inc.
000f Broadcom Corporation
001d Qualcomm
0030 ST Microelectronics
0046 MediaTek, Inc.
0047 Bluegiga
0048 Marvell Technology Group Ltd.
004c Apple, Inc.
0057 Harman International Industries, Inc.
0059 Nordic Semiconductor ASA
005d Realtek Semiconductor Corporation
0060 RivieraWaves S.A.S
0065 HP, Inc.
006b Polar Electro OY
0075 Samsung Electronics Co. Ltd.
0078 Nike, Inc.
0087 Garmin International, Inc.
009e Bose Corporation
00c4 LG Electronics
00d2 Dialog Semiconductor B.V.
00e0 Google
012d Sony Corporation
0131 Cypress Semiconductor
0157 Anhui Huami Information Technology Co., Ltd.
0171 Amazon.com Services LLC
01a9 Canon Inc.
01da Logitech International SA
01f9 Medtronic Inc.
022b Tesla, Inc.
027d HUAWEI Technologies Co., Ltd.
02e5 Espressif Systems (Shanghai) Co., Ltd.
02ff Silicon Laboratories
038f Xiaomi Inc.
0499 Ruuvi Innovations Ltd.
05f1 The Linux Foundation
0822 adafruit industries
0969 Woan Technology (Shenzhen) Co., Ltd.
ffff for tests
`;
