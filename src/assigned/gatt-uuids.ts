// Assigned Numbers 3.4 to 3.8: "value name", 16-bit values. Text rather than objects: parsed once, on first use, and small in a bundle.

export const SERVICES = `
1800 Generic Access
1801 Generic Attribute
1802 Immediate Alert
1803 Link Loss
1804 Tx Power
1805 Current Time
1806 Reference Time Update
1807 Next DST Change
1808 Glucose
1809 Health Thermometer
180a Device Information
180d Heart Rate
180e Phone Alert Status
180f Battery
1810 Blood Pressure
1811 Alert Notification
1812 Human Interface Device
1813 Scan Parameters
1814 Running Speed and Cadence
1815 Automation IO
1816 Cycling Speed and Cadence
1818 Cycling Power
1819 Location and Navigation
181a Environmental Sensing
181b Body Composition
181c User Data
181d Weight Scale
181e Bond Management
181f Continuous Glucose Monitoring
1820 Internet Protocol Support
1821 Indoor Positioning
1822 Pulse Oximeter
1823 HTTP Proxy
1824 Transport Discovery
1825 Object Transfer
1826 Fitness Machine
1827 Mesh Provisioning
1828 Mesh Proxy
1829 Reconnection Configuration
183a Insulin Delivery
183b Binary Sensor
183c Emergency Configuration
183d Authorization Control
183e Physical Activity Monitor
183f Elapsed Time
1840 Generic Health Sensor
1843 Audio Input Control
1844 Volume Control
1845 Volume Offset Control
1846 Coordinated Set Identification
1847 Device Time
1848 Media Control
1849 Generic Media Control
184a Constant Tone Extension
184b Telephone Bearer
184c Generic Telephone Bearer
184d Microphone Control
184e Audio Stream Control
184f Broadcast Audio Scan
1850 Published Audio Capabilities
1851 Basic Audio Announcement
1852 Broadcast Audio Announcement
1853 Common Audio
1854 Hearing Access
1855 Telephony and Media Audio
1856 Public Broadcast Announcement
1857 Electronic Shelf Label
1859 Mesh Proxy Solicitation
fe59 Nordic Semiconductor ASA
fe81 Medtronic Inc.
fe82 Medtronic Inc.
fe9f Google LLC
feaa Google LLC
fd6f Apple, Inc.
`;

export const DECLARATIONS = `
2800 Primary Service
2801 Secondary Service
2802 Include
2803 Characteristic
`;

export const DESCRIPTORS = `
2900 Characteristic Extended Properties
2901 Characteristic User Description
2902 Client Characteristic Configuration
2903 Server Characteristic Configuration
2904 Characteristic Presentation Format
2905 Characteristic Aggregate Format
2906 Valid Range
2907 External Report Reference
2908 Report Reference
2909 Number of Digitals
290a Value Trigger Setting
290b Environmental Sensing Configuration
290c Environmental Sensing Measurement
290d Environmental Sensing Trigger Setting
290e Time Trigger Setting
290f Complete BR-EDR Transport Block Data
`;

export const CHARACTERISTICS = `
2a00 Device Name
2a01 Appearance
2a02 Peripheral Privacy Flag
2a03 Reconnection Address
2a04 Peripheral Preferred Connection Parameters
2a05 Service Changed
2a06 Alert Level
2a07 Tx Power Level
2a08 Date Time
2a09 Day of Week
2a0a Day Date Time
2a0c Exact Time 256
2a0d DST Offset
2a0e Time Zone
2a0f Local Time Information
2a11 Time with DST
2a12 Time Accuracy
2a13 Time Source
2a14 Reference Time Information
2a16 Time Update Control Point
2a17 Time Update State
2a18 Glucose Measurement
2a19 Battery Level
2a1c Temperature Measurement
2a1d Temperature Type
2a1e Intermediate Temperature
2a21 Measurement Interval
2a22 Boot Keyboard Input Report
2a23 System ID
2a24 Model Number String
2a25 Serial Number String
2a26 Firmware Revision String
2a27 Hardware Revision String
2a28 Software Revision String
2a29 Manufacturer Name String
2a2a IEEE 11073-20601 Regulatory Certification Data List
2a2b Current Time
2a2c Magnetic Declination
2a31 Scan Refresh
2a32 Boot Keyboard Output Report
2a33 Boot Mouse Input Report
2a34 Glucose Measurement Context
2a35 Blood Pressure Measurement
2a36 Intermediate Cuff Pressure
2a37 Heart Rate Measurement
2a38 Body Sensor Location
2a39 Heart Rate Control Point
2a3f Alert Status
2a40 Ringer Control Point
2a41 Ringer Setting
2a42 Alert Category ID Bit Mask
2a43 Alert Category ID
2a44 Alert Notification Control Point
2a45 Unread Alert Status
2a46 New Alert
2a47 Supported New Alert Category
2a48 Supported Unread Alert Category
2a49 Blood Pressure Feature
2a4a HID Information
2a4b Report Map
2a4c HID Control Point
2a4d Report
2a4e Protocol Mode
2a4f Scan Interval Window
2a50 PnP ID
2a51 Glucose Feature
2a52 Record Access Control Point
2a53 RSC Measurement
2a54 RSC Feature
2a55 SC Control Point
2a56 Digital
2a58 Analog
2a5a Aggregate
2a5b CSC Measurement
2a5c CSC Feature
2a5d Sensor Location
2a5e PLX Spot-Check Measurement
2a5f PLX Continuous Measurement
2a60 PLX Features
2a63 Cycling Power Measurement
2a64 Cycling Power Vector
2a65 Cycling Power Feature
2a66 Cycling Power Control Point
2a67 Location and Speed
2a68 Navigation
2a69 Position Quality
2a6a LN Feature
2a6b LN Control Point
2a6c Elevation
2a6d Pressure
2a6e Temperature
2a6f Humidity
2a70 True Wind Speed
2a71 True Wind Direction
2a72 Apparent Wind Speed
2a73 Apparent Wind Direction
2a74 Gust Factor
2a75 Pollen Concentration
2a76 UV Index
2a77 Irradiance
2a78 Rainfall
2a79 Wind Chill
2a7a Heat Index
2a7b Dew Point
2a7d Descriptor Value Changed
2a98 Weight
2a99 Database Change Increment
2a9a User Index
2a9b Body Composition Feature
2a9c Body Composition Measurement
2a9d Weight Measurement
2a9e Weight Scale Feature
2a9f User Control Point
2aa0 Magnetic Flux Density - 2D
2aa1 Magnetic Flux Density - 3D
2aa2 Language
2aa3 Barometric Pressure Trend
2aa4 Bond Management Control Point
2aa5 Bond Management Feature
2aa6 Central Address Resolution
2aa7 CGM Measurement
2aa8 CGM Feature
2aa9 CGM Status
2aaa CGM Session Start Time
2aab CGM Session Run Time
2aac CGM Specific Ops Control Point
2abc TDS Control Point
2ac9 Resolvable Private Address Only
2acc Fitness Machine Feature
2acd Treadmill Data
2ad2 Indoor Bike Data
2ad9 Fitness Machine Control Point
2ada Fitness Machine Status
2b1d RC Feature
2b1e RC Settings
2b1f Reconnection Configuration Control Point
2b20 IDD Status Changed
2b21 IDD Status
2b22 IDD Annunciation Status
2b23 IDD Features
2b24 IDD Status Reader Control Point
2b25 IDD Command Control Point
2b26 IDD Command Data
2b27 IDD Record Access Control Point
2b28 IDD History Data
2b29 Client Supported Features
2b2a Database Hash
2b3a Server Supported Features
2be9 Battery Critical Status
2bed Battery Level Status
2bf5 LE GATT Security Levels
`;
