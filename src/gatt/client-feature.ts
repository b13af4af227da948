/** Bits of the first octet of Client Supported Features, Vol 3 Part G 7.2. */
export const ClientFeature = Object.freeze({ RobustCaching: 0x01, EnhancedBearer: 0x02, MultipleHandleValueNotifications: 0x04 });
