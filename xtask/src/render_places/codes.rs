//! Which code each piece of the geometry belongs to.
//!
//! In:  a feature's number and name, and a polygon of it. Out: a code of two letters.
//! Holds: a feature that no table here knows is an error, never left out unseen.

use anyhow::{bail, ensure};

use super::topology::{Feature, LonLat, Polygon};

/// Postal code and FIPS number of the states, the District of Columbia and the five territories.
const US_STATES: &str = "\
    AL 01 AK 02 AZ 04 AR 05 CA 06 CO 08 CT 09 DE 10 DC 11 FL 12 GA 13 HI 15 ID 16 IL \
    17 IN 18 IA 19 KS 20 KY 21 LA 22 ME 23 MD 24 MA 25 MI 26 MN 27 MS 28 MO 29 MT 30 \
    NE 31 NV 32 NH 33 NJ 34 NM 35 NY 36 NC 37 ND 38 OH 39 OK 40 OR 41 PA 42 RI 44 SC \
    45 SD 46 TN 47 TX 48 UT 49 VT 50 VA 51 WA 53 WV 54 WI 55 WY 56 AS 60 GU 66 MP 69 \
    PR 72 VI 78";

/// ISO 3166-1: the code of two letters and the number of every country.
const COUNTRIES: &str = "\
    AD 020 AE 784 AF 004 AG 028 AI 660 AL 008 AM 051 AO 024 AQ 010 AR 032 AS 016 AT 040 \
    AU 036 AW 533 AX 248 AZ 031 BA 070 BB 052 BD 050 BE 056 BF 854 BG 100 BH 048 BI 108 \
    BJ 204 BL 652 BM 060 BN 096 BO 068 BQ 535 BR 076 BS 044 BT 064 BV 074 BW 072 BY 112 \
    BZ 084 CA 124 CC 166 CD 180 CF 140 CG 178 CH 756 CI 384 CK 184 CL 152 CM 120 CN 156 \
    CO 170 CR 188 CU 192 CV 132 CW 531 CX 162 CY 196 CZ 203 DE 276 DJ 262 DK 208 DM 212 \
    DO 214 DZ 012 EC 218 EE 233 EG 818 EH 732 ER 232 ES 724 ET 231 FI 246 FJ 242 FK 238 \
    FM 583 FO 234 FR 250 GA 266 GB 826 GD 308 GE 268 GF 254 GG 831 GH 288 GI 292 GL 304 \
    GM 270 GN 324 GP 312 GQ 226 GR 300 GS 239 GT 320 GU 316 GW 624 GY 328 HK 344 HM 334 \
    HN 340 HR 191 HT 332 HU 348 ID 360 IE 372 IL 376 IM 833 IN 356 IO 086 IQ 368 IR 364 \
    IS 352 IT 380 JE 832 JM 388 JO 400 JP 392 KE 404 KG 417 KH 116 KI 296 KM 174 KN 659 \
    KP 408 KR 410 KW 414 KY 136 KZ 398 LA 418 LB 422 LC 662 LI 438 LK 144 LR 430 LS 426 \
    LT 440 LU 442 LV 428 LY 434 MA 504 MC 492 MD 498 ME 499 MF 663 MG 450 MH 584 MK 807 \
    ML 466 MM 104 MN 496 MO 446 MP 580 MQ 474 MR 478 MS 500 MT 470 MU 480 MV 462 MW 454 \
    MX 484 MY 458 MZ 508 NA 516 NC 540 NE 562 NF 574 NG 566 NI 558 NL 528 NO 578 NP 524 \
    NR 520 NU 570 NZ 554 OM 512 PA 591 PE 604 PF 258 PG 598 PH 608 PK 586 PL 616 PM 666 \
    PN 612 PR 630 PS 275 PT 620 PW 585 PY 600 QA 634 RE 638 RO 642 RS 688 RU 643 RW 646 \
    SA 682 SB 090 SC 690 SD 729 SE 752 SG 702 SH 654 SI 705 SJ 744 SK 703 SL 694 SM 674 \
    SN 686 SO 706 SR 740 SS 728 ST 678 SV 222 SX 534 SY 760 SZ 748 TC 796 TD 148 TF 260 \
    TG 768 TH 764 TJ 762 TK 772 TL 626 TM 795 TN 788 TO 776 TR 792 TT 780 TV 798 TW 158 \
    TZ 834 UA 804 UG 800 UM 581 US 840 UY 858 UZ 860 VA 336 VC 670 VE 862 VG 092 VI 850 \
    VN 704 VU 548 WF 876 WS 882 YE 887 YT 175 ZA 710 ZM 894 ZW 716";

/// Features without a number that belong to a code. XK is no code of ISO 3166-1, but the one that
/// it leaves to its users and that everybody uses for Kosovo.
const NAMED: [(&str, &str); 6] = [
    ("Kosovo", "XK"),
    ("Somaliland", "SO"),
    ("N. Cyprus", "CY"),
    ("Cyprus U.N. Buffer Zone", "CY"),
    ("Baikonur", "KZ"),
    // Christmas Island and the Cocos Islands; the latter are a part below.
    ("Indian Ocean Ter.", "CX"),
];

/// Features without a number that nobody logs in from, or that several countries claim.
const LEFT_OUT: [&str; 10] = [
    "Akrotiri",
    "Bajo Nuevo Bank",
    "Clipperton I.",
    "Coral Sea Is.",
    "Dhekelia",
    "Scarborough Reef",
    "Serranilla Bank",
    "Siachen Glacier",
    "Spratly Is.",
    "USNB Guantanamo Bay",
];

/// A part of a country that the geometry draws within it, and that ISO 3166-1 gives a code of its
/// own: the polygons of `country` that lie between these degrees.
struct Part {
    country: &'static str,
    code: &'static str,
    latitudes: (f64, f64),
    longitudes: (f64, f64),
}

const fn part(
    country: &'static str,
    code: &'static str,
    latitudes: (f64, f64),
    longitudes: (f64, f64),
) -> Part {
    Part { country, code, latitudes, longitudes }
}

const PARTS: [Part; 12] = [
    part("FR", "GF", (2.0, 6.0), (-55.0, -51.0)),
    part("FR", "GP", (15.7, 16.6), (-62.0, -60.9)),
    part("FR", "MQ", (14.3, 15.0), (-61.4, -60.7)),
    part("FR", "RE", (-22.0, -20.0), (55.0, 56.0)),
    part("FR", "YT", (-13.2, -12.5), (44.9, 45.4)),
    part("NO", "BV", (-55.0, -54.0), (3.0, 4.0)),
    // Svalbard, and Jan Mayen.
    part("NO", "SJ", (74.0, 81.0), (10.0, 35.0)),
    part("NO", "SJ", (70.5, 71.5), (-10.0, -7.0)),
    // Bonaire; Saba and Sint Eustatius.
    part("NL", "BQ", (12.0, 12.4), (-68.5, -68.1)),
    part("NL", "BQ", (17.4, 17.7), (-63.3, -62.9)),
    part("NZ", "TK", (-10.0, -8.0), (-173.0, -171.0)),
    part("CX", "CC", (-12.5, -11.5), (96.0, 97.5)),
];

/// A list of codes: how many there are, and what a feature is known by.
pub(super) struct Codes {
    numbers: &'static str,
    named: &'static [(&'static str, &'static str)],
    left_out: &'static [&'static str],
    parts: &'static [Part],
}

pub(super) const STATES_OF_US: Codes =
    Codes { numbers: US_STATES, named: &[], left_out: &[], parts: &[] };

pub(super) const COUNTRIES_OF_ISO: Codes =
    Codes { numbers: COUNTRIES, named: &NAMED, left_out: &LEFT_OUT, parts: &PARTS };

impl Codes {
    /// Every code, in its order in the table; one may come twice.
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> {
        let named = self.named.iter().map(|(_, code)| *code);
        let parts = self.parts.iter().map(|part| part.code);
        self.numbered().map(|(code, _)| code).chain(named).chain(parts)
    }

    /// The feature's polygons, each with its code.
    ///
    /// # Errors
    /// No table knows the feature.
    pub(super) fn sorted(&self, feature: Feature) -> anyhow::Result<Vec<(&'static str, Polygon)>> {
        let Some(code) = self.of_feature(&feature)? else { return Ok(Vec::new()) };
        let with_code = |polygon: Polygon| {
            let part = self.parts.iter().find(|part| part.country == code && part.has(&polygon));
            (part.map_or(code, |part| part.code), polygon)
        };
        Ok(feature.polygons.into_iter().map(with_code).collect())
    }

    /// The feature's code; `None` when it is left out.
    fn of_feature(&self, feature: &Feature) -> anyhow::Result<Option<&'static str>> {
        let name = feature.name.as_str();
        if let Some(wanted) = &feature.number {
            let found = self.numbered().find(|(_, number)| number == wanted);
            ensure!(found.is_some(), "no code is known for number {wanted} ({name})");
            return Ok(found.map(|(code, _)| code));
        }
        if let Some((_, code)) = self.named.iter().find(|(known, _)| *known == name) {
            return Ok(Some(code));
        }
        if self.left_out.contains(&name) {
            return Ok(None);
        }
        bail!("no code is known for '{name}', which has no number");
    }

    fn numbered(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let mut words = self.numbers.split_whitespace();
        std::iter::from_fn(move || Some((words.next()?, words.next()?)))
    }
}

impl Part {
    fn has(&self, polygon: &Polygon) -> bool {
        let within = |point: &LonLat| {
            let (south, north) = self.latitudes;
            let (west, east) = self.longitudes;
            (south..=north).contains(&point.lat) && (west..=east).contains(&point.lon)
        };
        polygon.outside.iter().all(within)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn square(lat: f64, lon: f64) -> Polygon {
        let corner = |up: f64, right: f64| LonLat { lon: lon + right, lat: lat + up };
        let outside = [(0., 0.), (0., 0.1), (0.1, 0.1), (0., 0.)].map(|(u, r)| corner(u, r));
        Polygon { outside: outside.to_vec(), holes: Vec::new() }
    }

    fn feature(number: Option<&str>, name: &str, polygons: Vec<Polygon>) -> Feature {
        Feature { number: number.map(str::to_owned), name: name.to_owned(), polygons }
    }

    #[test]
    fn every_code_and_number_is_there_once() {
        for (codes, count, digits) in [(STATES_OF_US, 56, 2), (COUNTRIES_OF_ISO, 249, 3)] {
            let all: Vec<_> = codes.numbered().collect();
            assert_eq!(all.len(), count);
            for (code, number) in &all {
                assert!(code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()));
                assert!(number.len() == digits && number.bytes().all(|byte| byte.is_ascii_digit()));
            }
            assert_eq!(all.iter().map(|row| row.0).collect::<BTreeSet<_>>().len(), count);
            assert_eq!(all.iter().map(|row| row.1).collect::<BTreeSet<_>>().len(), count);
        }
    }

    #[test]
    fn a_part_with_a_code_of_its_own_leaves_its_country() {
        let polygons = vec![square(46.0, 2.0), square(-21.1, 55.5), square(16.2, -61.6)];
        let sorted = COUNTRIES_OF_ISO.sorted(feature(Some("250"), "France", polygons));
        let codes: Vec<_> = sorted.expect("known").into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["FR", "RE", "GP"]);
    }

    #[test]
    fn an_unknown_feature_is_an_error() {
        let unknown = COUNTRIES_OF_ISO.sorted(feature(None, "Atlantis", vec![square(0.0, 0.0)]));
        assert!(unknown.expect_err("unknown").to_string().contains("'Atlantis'"));
        let unknown = STATES_OF_US.sorted(feature(Some("99"), "Nowhere", Vec::new()));
        assert!(unknown.expect_err("unknown").to_string().contains("99 (Nowhere)"));
        let left_out = COUNTRIES_OF_ISO.sorted(feature(None, "Spratly Is.", vec![square(0., 0.)]));
        assert!(left_out.expect("known").is_empty());
    }
}
