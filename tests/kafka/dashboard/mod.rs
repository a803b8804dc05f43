//! The dashboard in a real browser, over a real pipeline: what a person sees is what the API says.
//!
//! `scripts/test` leaves these out, by name, where there is no chromedriver; `scripts/setup` brings
//! it.

use serde_json::{Value, json};
use testkit::{Browser, Scenario, Served};

use crate::client::support::produce;

const TOKEN: &str = "a-token-of-the-test";

/// Waits until the group has committed so many records, and the snapshot has them.
fn has_read(served: &Served, events: f64) {
    served.wait_for_epochs(1.0);
    let in_snapshot = || served.api("audit")["total"]["in"].as_f64();
    served.until("a snapshot with them", || in_snapshot().filter(|n| *n >= events));
}

/// A number as the page writes it: thousands apart, a dash where it is not known.
fn count(number: &Value) -> String {
    if number.is_null() {
        return "–".to_owned();
    }
    let digits = number.as_u64().expect("a count").to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Names and counts of the page's bars.
fn shown_bars(browser: &Browser, id: &str) -> Vec<(String, String)> {
    // The title has the whole name, also where the text is only an abbreviation to the eye.
    let titles =
        format!("return [...document.querySelectorAll('#{id} .name')].map((e) => e.title)");
    let names: Vec<String> = serde_json::from_value(browser.run(&titles)).expect("texts");
    names.into_iter().zip(browser.texts(&format!("#{id} .n"))).collect()
}

/// The same from the API: the page shows eight.
fn expected_bars(values: &Value) -> Vec<(String, String)> {
    let values = values.as_array().expect("a list").iter().take(8);
    values.map(|pair| (pair[0].as_str().expect("a name").to_owned(), count(&pair[1]))).collect()
}

/// Nothing was complained about, and nobody else was asked for anything.
fn assert_clean(browser: &Browser, origin: &str) {
    assert_eq!(browser.console(), [""; 0], "the console is empty");
    let requests = browser.requests();
    assert!(requests.iter().any(|url| url.ends_with("/api/v1/stream")), "{requests:?}");
    for url in requests {
        assert!(url.starts_with(&format!("{origin}/")), "{url} leaves {origin}");
    }
}

/// Waits until the page shows what the API says of everything that is committed.
fn shows_what_the_api_says(browser: &Browser, served: &Served) {
    browser.wait_until("at the API's numbers", |browser| {
        let status = served.api("status");
        let (totals, usage) = (&status["snapshot"]["totals"], &status["snapshot"]["usage"]);
        let parts = browser.texts("#audit-sum b");
        parts.first().is_some_and(|shown| *shown == count(&totals["events_in"]))
            && browser.text("processed") == count(&totals["processed"])
            && browser.text("dead") == count(&totals["dead_lettered"])
            && browser.text("lag") == count(&status["snapshot"]["lag_records"])
            && ["locations", "devices", "versions"]
                .iter()
                .all(|id| shown_bars(browser, id) == expected_bars(&usage[*id]))
    });
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS) and chromedriver; run scripts/test"]
fn numbers_on_the_page_are_those_of_the_api() {
    let scenario = Scenario::new("page-numbers");
    let events = ["--seed", "71", "--count", "20000", "--share-poison", "0.01"];
    scenario.produce(&[events.as_slice(), &["--share-odd", "0.05"]].concat());
    let served = scenario.serve(&["--idle-timeout", "1s"]);
    has_read(&served, 20_000.0);
    let browser = Browser::start(scenario.dir.path());
    browser.goto(&served.origin());
    shows_what_the_api_says(&browser, &served);
    assert_eq!(browser.text("health-text"), "Running with 8 partitions");

    let status = served.api("status");
    let snapshot = &status["snapshot"];
    assert!(snapshot["totals"]["dead_lettered"].as_u64() > Some(0), "{status:#}");
    let letters = snapshot["dead_letters"].as_array().expect("a list");
    let counts: Vec<_> = letters.iter().map(|letter| count(&letter["count"])).collect();
    assert_eq!(browser.texts("#reasons .n"), counts);
    let soft = snapshot["soft_problems"].as_array().expect("a list");
    let counts: Vec<_> = soft.iter().map(|soft| count(&soft["count"])).collect();
    assert!(!counts.is_empty(), "odd events have soft problems");
    assert_eq!(browser.texts("#soft tbody .n"), counts);
    let audit = served.api("audit");
    assert_eq!(audit["balanced"], true, "{audit:#}");
    assert!(browser.text("audit-verdict").starts_with('✓'));
    for (row, partition) in audit["partitions"].as_array().expect("a list").iter().enumerate() {
        let cells = browser.texts(&format!("#partitions tbody tr:nth-child({}) > *", row + 1));
        let names = ["partition", "in", "processed", "dead_lettered", "tombstones", "difference"];
        let shown = [0, 3, 4, 5, 6, 7].map(|column| cells[column].clone());
        assert_eq!(shown, names.map(|name| count(&partition[name])), "{audit:#}");
    }
    assert_windows(&browser, &served);
    assert_clean(&browser, &served.origin());
    served.stop();
}

/// The table of windows, and the details of the newest one.
fn assert_windows(browser: &Browser, served: &Served) {
    browser.wait_until("at the API's windows", |browser| {
        let windows = served.api("windows?limit=12")["windows"].clone();
        let windows = windows.as_array().expect("a list");
        let counts: Vec<_> = windows.iter().map(|window| count(&window["total_events"])).collect();
        !counts.is_empty() && browser.texts("#windows tbody td:nth-child(3)") == counts
    });
    browser.click("#windows tbody tr:first-child button");
    browser.wait_until("showing details", |browser| browser.is_shown("detail"));
    let newest = served.api("windows?limit=1")["windows"][0].clone();
    let start = newest["start_ms"].as_i64().expect("ms") / 1000;
    let window = served.api(&format!("windows/{start}"));
    assert_eq!(window, newest);
    for id in ["locations", "devices", "versions"] {
        let shown = shown_bars(browser, &format!("detail-{id}"));
        assert_eq!(shown, expected_bars(&window["usage"][id]), "{id}");
    }
    browser.click("#detail-close");
    assert!(!browser.is_shown("detail"));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS) and chromedriver; run scripts/test"]
fn the_page_says_that_the_server_is_away_and_recovers() {
    let scenario = Scenario::new("page-away");
    scenario.produce(&["--seed", "72", "--count", "3000"]);
    let served = scenario.serve(&[]);
    let port = served.port();
    has_read(&served, 3_000.0);
    let browser = Browser::start(scenario.dir.path());
    browser.goto(&served.origin());
    shows_what_the_api_says(&browser, &served);
    assert!(!browser.is_shown("banner"));
    served.stop();
    browser.wait_until("saying that the server is away", |browser| {
        browser.text("health-text") == "Server unreachable" && browser.is_shown("banner")
    });
    assert_eq!(browser.text("processed"), "3,000", "the last numbers stay");
    let began = browser.text("audit-since");

    scenario.produce(&["--seed", "73", "--count", "2000"]);
    let served = scenario.serve_on(port, &[]);
    has_read(&served, 5_000.0);
    browser.wait_until("well again", |browser| {
        browser.text("health-text") == "Running with 8 partitions" && !browser.is_shown("banner")
    });
    shows_what_the_api_says(&browser, &served);
    assert_eq!(browser.text("processed"), "5,000", "counts are the group's");
    assert!(began.starts_with("The group since 2"), "{began}");
    assert_eq!(browser.text("audit-since"), began, "a restart is no beginning");
    for complaint in browser.console() {
        let expected = complaint.contains("net::ERR_");
        assert!(expected, "besides the failed requests there is {complaint}");
    }
    served.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS) and chromedriver; run scripts/test"]
fn hostile_values_stay_text() {
    const SCRIPT: &str = "<script>window.hacked=1</script>";
    const IMAGE: &str = "\"><img src=x onerror=window.hacked=1>";
    let scenario = Scenario::new("page-hostile");
    scenario.produce(&["--seed", "74", "--count", "100", "--locales", "5"]);
    let event = |n: usize| {
        let (user_id, timestamp) = (format!("u{n}"), 1_730_653_310);
        let values = json!({"user_id": user_id, "timestamp": timestamp, "locale": SCRIPT,
            "device_type": IMAGE, "app_version": "</td></table>&amp;"});
        values.to_string()
    };
    let mut values: Vec<String> = (0..200).map(event).collect();
    values.push(format!("{{{SCRIPT}{IMAGE}"));
    produce(scenario.brokers(), &scenario.topic("input"), 0, &values);
    let served = scenario.serve(&[]);
    has_read(&served, 301.0);
    let browser = Browser::start(scenario.dir.path());
    browser.goto(&served.origin());
    shows_what_the_api_says(&browser, &served);
    let bars = |id: &str| shown_bars(&browser, id)[0].clone();
    assert_eq!(bars("locations"), (SCRIPT.to_owned(), "200".to_owned()));
    assert_eq!(bars("devices").0, IMAGE);
    assert_eq!(bars("versions").0, "</td></table>&amp;");
    assert_eq!(browser.texts("#locations .name")[0], SCRIPT, "as text, and all of it");
    browser.click("#reasons summary");
    let sample = browser.texts("#reasons pre");
    assert_eq!(sample, [format!("{{{SCRIPT}{IMAGE}")]);
    let elements = "return document.querySelectorAll('main script, main img, [onerror]').length";
    assert_eq!(browser.run(elements), 0);
    assert_eq!(browser.run("return window.hacked === undefined"), true);
    assert_clean(&browser, &served.origin());
    served.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS) and chromedriver; run scripts/test"]
fn the_page_fits_a_phone_and_follows_the_colour_scheme() {
    let scenario = Scenario::new("page-phone");
    let events = ["--seed", "75", "--count", "5000", "--share-poison", "0.02"];
    scenario.produce(&[events.as_slice(), &["--share-odd", "0.05"]].concat());
    let served = scenario.serve(&[]);
    has_read(&served, 5_000.0);
    let browser = Browser::start(scenario.dir.path());
    browser.goto(&served.origin());
    shows_what_the_api_says(&browser, &served);
    for width in [1280, 768, 390, 320] {
        let screen = json!({"width": width, "height": 740, "deviceScaleFactor": 1,
            "mobile": width < 768});
        browser.devtools("Emulation.setDeviceMetricsOverride", &screen);
        // Not compared to the inner width: a phone's grows with what does not fit.
        let needed = browser.run("return document.documentElement.scrollWidth");
        assert!(
            needed.as_i64().is_some_and(|needed| needed <= width),
            "{needed} pixels of {width}"
        );
    }
    let background = "return getComputedStyle(document.body).backgroundColor";
    let mut backgrounds = Vec::new();
    for scheme in ["light", "dark"] {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        browser.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
        backgrounds.push(browser.run(background));
        let faint = browser.run(FAINT_TEXTS);
        assert_eq!(faint, json!([]), "texts with a contrast below 4.5 in {scheme}");
        let moving = "return getComputedStyle(document.querySelector('.dot')).animationName";
        assert_eq!(browser.run(moving), "none", "motion is not wanted");
    }
    assert_ne!(backgrounds[0], backgrounds[1]);
    assert_clean(&browser, &served.origin());
    served.stop();
}

/// The visible texts whose contrast to the colour behind them is below 4.5 (WCAG 2.2, 1.4.3).
const FAINT_TEXTS: &str = r"
    const channels = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = (color) => channels(color).slice(0, 3).map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    }).reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if ((channels(color)[3] ?? 1) > 0) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const has_text = (element) => element.checkVisibility()
        && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const texts = [...document.body.querySelectorAll('*')].filter(has_text);
    if (texts.length < 100) return ['there are only ' + texts.length];
    return texts.map((element) => {
        const style = getComputedStyle(element);
        const front = element instanceof SVGElement ? style.fill : style.color;
        const both = [front, behind(element)].map(luminance).sort((a, b) => b - a);
        return [element.textContent.trim(), (both[0] + 0.05) / (both[1] + 0.05)];
    }).filter(([, contrast]) => contrast < 4.5);";

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS) and chromedriver; run scripts/test"]
fn the_token_is_asked_for_and_is_in_no_address() {
    let scenario = Scenario::new("page-token");
    scenario.produce(&["--seed", "76", "--count", "1000"]);
    let served = scenario.serve_with(&[], &[("LOGINTIDE_HTTP_TOKEN", TOKEN)]);
    served.wait_for_events(1_000.0);
    let browser = Browser::start(scenario.dir.path());
    browser.goto(&served.origin());
    browser.wait_until("asking for the token", |browser| browser.is_shown("login"));
    assert!(!browser.is_shown("board"), "the page itself holds no data");
    assert_eq!(browser.run("return document.activeElement.id"), "token", "typing goes on there");
    browser.type_into("#token", "a-token-of-somebody\n");
    browser.wait_until("refusing", |browser| !browser.text("login-problem").is_empty());
    browser.type_into("#token", &format!("{TOKEN}\n"));
    browser.wait_until("open", |browser| browser.text("processed") == "1,000");
    assert!(!browser.is_shown("login"));
    // The tab remembers it.
    browser.goto(&served.origin());
    browser.wait_until("open", |browser| browser.text("processed") == "1,000");
    let requests = browser.requests();
    assert!(requests.len() > 10, "{requests:?}");
    assert!(requests.iter().all(|url| !url.contains(TOKEN)), "{requests:?}");
    assert_eq!(browser.run("return location.href.includes('token')"), false);
    let log = served.log();
    assert!(!log.contains(TOKEN), "{log}");
    served.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS) and chromedriver; run scripts/test"]
fn the_page_is_named_and_ordered_for_those_who_do_not_see_it() {
    let scenario = Scenario::new("page-ears");
    scenario.produce(&["--seed", "77", "--count", "1000", "--share-poison", "0.05"]);
    let served = scenario.serve(&[]);
    has_read(&served, 1_000.0);
    let browser = Browser::start(scenario.dir.path());
    browser.goto(&served.origin());
    shows_what_the_api_says(&browser, &served);
    browser.type_into("body", "\u{e004}");
    let first = "return document.activeElement.getAttribute('href')";
    assert_eq!(browser.run(first), "#main", "the first key leads past the head");
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.run(outline), "solid", "the focus is seen");
    let nameless = "return [...document.querySelectorAll(
        'table:not(:has(caption)), svg:not([aria-label]), section:not([aria-labelledby]), \
         input:not([id=token]):not([hidden]), [role=region]:not([aria-labelledby]), \
         img:not([alt])')]
        .map((element) => element.outerHTML)";
    assert_eq!(browser.run(nameless), json!([]));
    let landmarks = "return ['header', 'main', 'footer', 'h1', '[aria-live=polite]']
        .filter((selector) => !document.querySelector(selector))";
    assert_eq!(browser.run(landmarks), json!([]));
    let levels = "return [...document.querySelectorAll('h1, h2, h3')].map((h) => +h.tagName[1])";
    let levels: Vec<u64> = serde_json::from_value(browser.run(levels)).expect("numbers");
    assert_eq!(levels[0], 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    let label = "return document.querySelector('#chart-rate svg').getAttribute('aria-label')";
    let label = browser.run(label);
    assert!(label.as_str().is_some_and(|label| label.contains("rate now")), "{label}");
    served.stop();
}

/// Whether the band of this colour of a dimension has any height at this share of its width.
fn has_band(browser: &Browser, dimension: &str, colour: &str, share: f64) -> bool {
    let script = format!(
        "const svg = document.querySelector('#areas-{dimension} svg');
         const path = svg.querySelector('.band.{colour}');
         const box = path.getBBox();
         const x = box.x + box.width * {share};
         return Array.from({{ length: 1200 }}, (_, at) => at / 8).some((y) => (
           path.isPointInFill(new DOMPoint(x, y))));"
    );
    browser.run(&script) == true
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS) and chromedriver; run scripts/test"]
fn areas_show_a_device_type_that_disappears_and_the_table_who_reads() {
    let scenario = Scenario::new("page-areas");
    scenario.produce(&["--seed", "78", "--count", "0"]);
    // Forty windows of 10 s; in the second half there is no Android.
    let event = |n: i64| {
        let device = if n % 3 == 0 && n < 200 { "android" } else { "iOS" };
        let (user_id, timestamp) = (format!("u{n}"), 1_730_653_310 + n);
        let values = json!({"user_id": user_id, "timestamp": timestamp, "locale": "CA",
            "device_type": device, "app_version": "2.3.0"});
        values.to_string()
    };
    let values: Vec<String> = (0..400).map(event).collect();
    produce(scenario.brokers(), &scenario.topic("input"), 0, &values);
    let served = scenario.serve(&["--idle-timeout", "1s", "--instance-id", "node-7"]);
    has_read(&served, 400.0);
    let browser = Browser::start(scenario.dir.path());
    browser.goto(&served.origin());
    let keys = |dimension: &str| browser.texts(&format!("#areas-{dimension} .key"));
    browser.wait_until("at the last window", |browser| {
        let when = browser.texts("#areas-devices .when");
        when == ["Window from 2024-11-03 17:08:20 UTC"]
    });
    assert_eq!(keys("devices"), ["iOS10", "android0"], "counts of the newest window");
    assert_eq!(
        (keys("locations"), keys("versions")),
        (vec!["CA10".to_owned()], vec!["2.3.010".to_owned()])
    );
    let bands = |share| ["a0", "a1"].map(|colour| has_band(&browser, "devices", colour, share));
    assert_eq!((bands(0.25), bands(0.75)), ([true, true], [true, false]));
    let label = "return document.querySelector('#areas-devices svg').getAttribute('aria-label')";
    assert_eq!(
        browser.run(label),
        "devices per window, 40 windows: iOS newest 10, highest 10; android newest 0, highest 4"
    );
    browser.wait_until("naming the instance", |browser| {
        browser.texts("#instances tbody th") == ["node-7"]
    });
    let row = browser.texts("#instances tbody td");
    assert_eq!(
        (&*row[0], &*row[1], &*row[4]),
        ("Publishes windows", "8", env!("CARGO_PKG_VERSION"))
    );
    assert!(browser.text("instances-problem").is_empty());
    assert_clean(&browser, &served.origin());
    served.stop();
}
