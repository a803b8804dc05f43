//! The dashboard: hand-written files inside the program. They hold no data and load nothing from
//! other servers.

use axum::{
    Router,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
    routing::get,
};

use super::App;

/// A file of the dashboard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) text: &'static str,
}

const JS: &str = "text/javascript; charset=utf-8";

/// All files of the dashboard.
pub(super) const ASSETS: [Asset; 9] = [
    Asset {
        path: "/",
        content_type: "text/html; charset=utf-8",
        text: include_str!("assets/index.html"),
    },
    Asset {
        path: "/app.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("assets/app.css"),
    },
    Asset { path: "/app.js", content_type: JS, text: include_str!("assets/app.js") },
    Asset { path: "/api.js", content_type: JS, text: include_str!("assets/api.js") },
    Asset { path: "/areas.js", content_type: JS, text: include_str!("assets/areas.js") },
    Asset { path: "/chart.js", content_type: JS, text: include_str!("assets/chart.js") },
    Asset { path: "/panels.js", content_type: JS, text: include_str!("assets/panels.js") },
    Asset { path: "/text.js", content_type: JS, text: include_str!("assets/text.js") },
    Asset {
        path: "/icon.svg",
        content_type: "image/svg+xml",
        text: include_str!("assets/icon.svg"),
    },
];

/// The routes of the files.
pub(super) fn routes() -> Router<App> {
    ASSETS.into_iter().fold(Router::new(), |router, asset| {
        router.route(asset.path, get(async move |headers: HeaderMap| answer(asset, &headers)))
    })
}

/// The file, or 304 if the browser has it. The browser asks each time, so it sees a new version at
/// once.
fn answer(asset: Asset, headers: &HeaderMap) -> Response {
    let tag = format!("\"{:08x}\"", crc32c::crc32c(asset.text.as_bytes()));
    let is_known =
        headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let caching = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, asset.content_type)], asset.text).into_response()
}

#[cfg(test)]
mod tests {
    use super::ASSETS;
    use crate::window::Dimension;

    #[test]
    fn the_page_has_a_list_for_each_dimension() {
        let page = ASSETS.iter().find(|asset| asset.path == "/").expect("the page");
        for name in Dimension::ALL.map(|dimension| dimension.spec().values) {
            let title = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
            for id in [name.to_owned(), format!("detail-{name}")] {
                let card = format!("<h3>{title}</h3><ol class=\"bars\" id=\"{id}\"></ol>");
                assert!(page.text.contains(&card), "{card}");
            }
            let areas = format!("<figure class=\"areas\" id=\"areas-{name}\">");
            assert!(page.text.contains(&areas), "{areas}");
        }
    }
}
