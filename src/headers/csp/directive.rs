/// A directive that says where something may come from, or go to (CSP Level 3 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Directive {
    /// What the directives ending in `-src` fall back to.
    DefaultSrc,
    /// Scripts.
    ScriptSrc,
    /// `<script>` elements.
    ScriptSrcElem,
    /// Event handlers in attributes.
    ScriptSrcAttr,
    /// Style sheets.
    StyleSrc,
    /// `<style>` and `<link rel=stylesheet>` elements.
    StyleSrcElem,
    /// `style` attributes.
    StyleSrcAttr,
    /// Images.
    ImgSrc,
    /// Fonts.
    FontSrc,
    /// `fetch`, `WebSocket`, `EventSource` …
    ConnectSrc,
    /// Audio and video.
    MediaSrc,
    /// Plug-ins.
    ObjectSrc,
    /// Frames in the page.
    FrameSrc,
    /// Frames and workers.
    ChildSrc,
    /// Workers.
    WorkerSrc,
    /// The manifest of a web application.
    ManifestSrc,
    /// What `<base>` may say; falls back to nothing.
    BaseUri,
    /// Where forms may be sent; falls back to nothing.
    FormAction,
    /// Who may show the page in a frame; falls back to nothing.
    FrameAncestors,
}

impl Directive {
    pub(super) const ALL: &[Self] = &[
        Self::DefaultSrc,
        Self::ScriptSrc,
        Self::ScriptSrcElem,
        Self::ScriptSrcAttr,
        Self::StyleSrc,
        Self::StyleSrcElem,
        Self::StyleSrcAttr,
        Self::ImgSrc,
        Self::FontSrc,
        Self::ConnectSrc,
        Self::MediaSrc,
        Self::ObjectSrc,
        Self::FrameSrc,
        Self::ChildSrc,
        Self::WorkerSrc,
        Self::ManifestSrc,
        Self::BaseUri,
        Self::FormAction,
        Self::FrameAncestors,
    ];

    /// Its name in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DefaultSrc => "default-src",
            Self::ScriptSrc => "script-src",
            Self::ScriptSrcElem => "script-src-elem",
            Self::ScriptSrcAttr => "script-src-attr",
            Self::StyleSrc => "style-src",
            Self::StyleSrcElem => "style-src-elem",
            Self::StyleSrcAttr => "style-src-attr",
            Self::ImgSrc => "img-src",
            Self::FontSrc => "font-src",
            Self::ConnectSrc => "connect-src",
            Self::MediaSrc => "media-src",
            Self::ObjectSrc => "object-src",
            Self::FrameSrc => "frame-src",
            Self::ChildSrc => "child-src",
            Self::WorkerSrc => "worker-src",
            Self::ManifestSrc => "manifest-src",
            Self::BaseUri => "base-uri",
            Self::FormAction => "form-action",
            Self::FrameAncestors => "frame-ancestors",
        }
    }

    /// Itself, and what stands in for it where it is absent (CSP Level 3 §6.8.3).
    pub(super) const fn chain(self) -> &'static [Self] {
        match self {
            Self::DefaultSrc => &[Self::DefaultSrc],
            Self::ScriptSrc => &[Self::ScriptSrc, Self::DefaultSrc],
            Self::ScriptSrcElem => &[Self::ScriptSrcElem, Self::ScriptSrc, Self::DefaultSrc],
            Self::ScriptSrcAttr => &[Self::ScriptSrcAttr, Self::ScriptSrc, Self::DefaultSrc],
            Self::StyleSrc => &[Self::StyleSrc, Self::DefaultSrc],
            Self::StyleSrcElem => &[Self::StyleSrcElem, Self::StyleSrc, Self::DefaultSrc],
            Self::StyleSrcAttr => &[Self::StyleSrcAttr, Self::StyleSrc, Self::DefaultSrc],
            Self::ImgSrc => &[Self::ImgSrc, Self::DefaultSrc],
            Self::FontSrc => &[Self::FontSrc, Self::DefaultSrc],
            Self::ConnectSrc => &[Self::ConnectSrc, Self::DefaultSrc],
            Self::MediaSrc => &[Self::MediaSrc, Self::DefaultSrc],
            Self::ObjectSrc => &[Self::ObjectSrc, Self::DefaultSrc],
            Self::FrameSrc => &[Self::FrameSrc, Self::ChildSrc, Self::DefaultSrc],
            Self::ChildSrc => &[Self::ChildSrc, Self::DefaultSrc],
            Self::WorkerSrc => &[Self::WorkerSrc, Self::ChildSrc, Self::ScriptSrc, Self::DefaultSrc],
            Self::ManifestSrc => &[Self::ManifestSrc, Self::DefaultSrc],
            Self::BaseUri => &[Self::BaseUri],
            Self::FormAction => &[Self::FormAction],
            Self::FrameAncestors => &[Self::FrameAncestors],
        }
    }

    /// Whether scripts or styles in the page itself are its matter.
    pub(super) const fn is_inline(self) -> bool {
        matches!(
            self,
            Self::DefaultSrc
                | Self::ScriptSrc
                | Self::ScriptSrcElem
                | Self::ScriptSrcAttr
                | Self::StyleSrc
                | Self::StyleSrcElem
                | Self::StyleSrcAttr
        )
    }
}
