//! The two bodies of a mail: plain text, and HTML without images, scripts or anything that is loaded from elsewhere.

use super::language::Words;

/// Returns the body in plain text.
pub(super) fn text(words: &Words, link: &str) -> String {
    let mut text = words.paragraphs.join("\n\n");
    text.push_str(&format!("\n\n{}:\n{link}\n\n-- \n{}\n", words.button, words.footer));
    text
}

/// Returns the body in HTML.
pub(super) fn html(words: &Words, link: &str) -> String {
    let link = escaped(link);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family:sans-serif;color:#1c1c1c;max-width:36em;margin:1.5em\">\n",
        words.language,
        escaped(&words.subject)
    );
    for paragraph in &words.paragraphs {
        html.push_str(&format!("<p>{}</p>\n", escaped(paragraph)));
    }
    html.push_str(&format!(
        "<p><a href=\"{link}\" style=\"background:#1c4fd6;color:#fff;padding:.6em 1em;text-decoration:none\">{}</a></p>\n\
         <p style=\"font-size:.85em\">{link}</p>\n<p style=\"font-size:.85em;color:#666\">{}</p>\n</body></html>\n",
        escaped(words.button),
        escaped(words.footer)
    ));
    html
}

/// Writes a text so that HTML shows it and takes no part of it for markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_never_taken_for_markup() {
        let words = Words {
            language: "en",
            subject: "<b>\"A\" & 'B'</b>".to_owned(),
            paragraphs: vec!["Hello <script>alert(1)</script>".to_owned()],
            button: "Open",
            footer: "Keyway",
        };
        let html = html(&words, "https://k.example.com/x?a=1&b=\"2\"#t");
        assert!(html.contains("Hello &lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(html.contains("<title>&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39;&lt;/b&gt;</title>"));
        assert!(html.contains("href=\"https://k.example.com/x?a=1&amp;b=&quot;2&quot;#t\""));
        let text = text(&words, "https://k.example.com/#t");
        assert!(text.starts_with("Hello <script>") && text.contains("Open:\nhttps://k.example.com/#t\n"));
    }
}
