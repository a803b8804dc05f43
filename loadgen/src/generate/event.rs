//! Writes the plain event: the record of the original login generator, byte for byte in its style
//! (`json.dumps`: a space after each colon and comma).
//!
//! In:  a login, its trace fields, a size to pad to. Out: JSON text.
//! Holds: nothing is allocated or needs escaping; every value is plain ASCII.

use std::io::Write as _;

use super::{
    rng::{Draw, Purpose, UuidText, mix, uuid_text},
    states::STATES,
};

/// The original generator's only version.
const APP_VERSION: &str = "2.3.0";

/// Devices that one user logs in from.
const DEVICES_PER_USER: u64 = 3;

/// Extra fields that trace an event through the pipeline.
#[derive(Clone, Copy)]
pub(crate) struct Trace {
    pub(crate) event_no: u64,
    /// The scheduled send time in epoch microseconds.
    pub(crate) sent_us: u64,
}

/// The beginning of the field that pads an event.
const PAD: &[u8] = b", \"pad\": \"";

/// The id of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceId<'a> {
    Uuid(UuidText),
    /// What an app sends that knows no id.
    Placeholder(&'a str),
}

impl DeviceId<'_> {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Uuid(text) => text,
            Self::Placeholder(text) => text.as_bytes(),
        }
    }
}

/// An address that looks public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    V4([u8; 4]),
    /// None of its groups is 0.
    V6([u16; 8]),
}

impl Address {
    /// Whether both are in one /24, or in one /64.
    pub(super) fn is_in_network_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::V4(one), Self::V4(other)) => one[..3] == other[..3],
            (Self::V6(one), Self::V6(other)) => one[..4] == other[..4],
            _ => false,
        }
    }
}

pub(crate) struct Login<'a> {
    /// UUID of the user.
    pub(crate) user: UuidText,
    pub(crate) app_version: &'a str,
    pub(crate) device: DeviceId<'a>,
    /// `None` when the field is missing.
    pub(crate) device_type: Option<&'static str>,
    /// Number of the locale.
    pub(crate) locale: u32,
    pub(crate) ip: Address,
    /// Event time in epoch milliseconds.
    pub(crate) time_ms: i64,
}

impl Login<'_> {
    /// A login of user number `user`. All random numbers are drawn for every login, used or not, so
    /// that the shares do not change the other values.
    pub(super) fn draw(
        seed: u64,
        user: u64,
        time_ms: i64,
        without_device: bool,
        locales: u32,
        draw: &mut Draw,
    ) -> Self {
        let device_no = draw.below(DEVICES_PER_USER);
        let mut of_device = Draw::new(seed, mix(user) ^ device_no, Purpose::Device);
        let device_type = if of_device.one_in(2) { "android" } else { "iOS" };
        let address = draw.number().to_le_bytes();
        Self {
            user: user_id(seed, user),
            app_version: APP_VERSION,
            device: DeviceId::Uuid(uuid_text(of_device.number(), of_device.number())),
            device_type: (!without_device).then_some(device_type),
            locale: draw.below(u64::from(locales)) as u32,
            // 11 to 126 look like public addresses.
            ip: Address::V4([11 + address[0] % 116, address[1], address[2], address[3]]),
            time_ms,
        }
    }

    /// The whole second of the event time.
    pub(super) fn seconds(&self) -> i64 {
        self.time_ms.div_euclid(1_000)
    }
}

/// The id of user number `user`.
pub(super) fn user_id(seed: u64, user: u64) -> UuidText {
    let mut of_user = Draw::new(seed, user, Purpose::User);
    uuid_text(of_user.number(), of_user.number())
}

/// Writes the plain record of a login, padded to at least `size` bytes.
pub(super) fn write_plain(login: &Login, trace: Option<Trace>, size: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"user_id\": \"");
    out.extend_from_slice(&login.user);
    out.extend_from_slice(b"\", \"app_version\": \"");
    out.extend_from_slice(login.app_version.as_bytes());
    out.extend_from_slice(b"\", \"ip\": \"");
    write_ip(login.ip, out);
    out.extend_from_slice(b"\", \"locale\": \"");
    write_locale(login.locale, out);
    out.extend_from_slice(b"\", \"device_id\": \"");
    out.extend_from_slice(login.device.as_bytes());
    out.extend_from_slice(b"\", \"timestamp\": ");
    write_number(login.seconds(), out);
    if let Some(device_type) = login.device_type {
        out.extend_from_slice(b", \"device_type\": \"");
        out.extend_from_slice(device_type.as_bytes());
        out.push(b'"');
    }
    write_end(trace, size, out);
}

/// Writes the shortest valid record of a login, padded to at least `size` bytes.
pub(super) fn write_required(login: &Login, trace: Option<Trace>, size: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"user_id\": \"");
    out.extend_from_slice(&login.user);
    out.extend_from_slice(b"\", \"timestamp\": ");
    write_number(login.seconds(), out);
    write_end(trace, size, out);
}

fn write_end(trace: Option<Trace>, size: usize, out: &mut Vec<u8>) {
    if let Some(trace) = trace {
        out.extend_from_slice(b", \"event_no\": ");
        write_number(trace.event_no, out);
        out.extend_from_slice(b", \"sent_us\": ");
        write_number(trace.sent_us, out);
    }
    let with_pad = out.len() + PAD.len() + 2;
    if with_pad < size {
        out.extend_from_slice(PAD);
        out.resize(out.len() + size - with_pad, b'x');
        out.push(b'"');
    }
    out.push(b'}');
}

/// Writes an address as people write it.
pub(super) fn write_ip(ip: Address, out: &mut Vec<u8>) {
    match ip {
        Address::V4(parts) => {
            for (index, part) in parts.into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                write_number(part, out);
            }
        }
        Address::V6(groups) => {
            for (index, group) in groups.into_iter().enumerate() {
                if index > 0 {
                    out.push(b':');
                }
                write!(out, "{group:x}").expect("memory takes everything");
            }
        }
    }
}

/// Writes the name of a locale: a state, or `L` and five digits.
pub(super) fn write_locale(locale: u32, out: &mut Vec<u8>) {
    if let Some(state) = STATES.get(locale as usize) {
        return out.extend_from_slice(state.code.as_bytes());
    }
    out.push(b'L');
    let digits = locale.checked_ilog10().map_or(1, |log| log + 1);
    out.resize(out.len() + 5_usize.saturating_sub(digits as usize), b'0');
    write_number(locale, out);
}

/// Writes a whole number in decimal.
pub(super) fn write_number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
