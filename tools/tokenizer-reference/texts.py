"""Texts that tokenizers disagree about, and random mixtures of their characters."""

import random

HARD = [
    "",
    " ",
    "a",
    "Hello, world! It's 5 o'clock; don't we'll they've I'M you'RE.",
    "  leading and trailing  ",
    "tab\tnew\nline\r\ncarriage\rform\x0cfeed\x0bvertical",
    "spaces: \u00a0\u1680\u2000\u2003\u2009\u200a\u202f\u205f\u3000 end",
    "no spaces: \u200b\u200c\u200d\u2060\ufeff\u180e\u00ad end",
    "separators \u0085 \u2028 \u2029 \x1c\x1d\x1e\x1f end",
    "nul \x00 and \x01\x02\x07\x08 bell \x7f \x80 \x8f \x9f",
    "replacement \ufffd object \ufffc",
    "private \ue000\uf8ff\U000f0000\U0010fffd use",
    "Größe Straße STRASSE ẞ ß ÄÖÜ äöü",
    "İstanbul ISPARTA ıspanak İ I i ı i̇",
    "ΣΑΣ Σ ΟΔΥΣΣΕΥΣ ς σ",
    "Ǆ ǅ ǆ ŉ ﬁ ﬂ ﬀ ﬆ ſ K Å",
    "café cafe\u0301 naïve nai\u0308ve Ω Ω",
    "Việt Nam Tiếng Việt ừ ừ",
    "Zalgo Z\u0351\u036b\u0343a\u0322\u031el\u0327g\u0321o\u0489",
    "Привет, мир! Ёжик й й",
    "Русский ТЕКСТ с цифрами 123 и №5",
    "Україна ґанок їжак",
    "γειά σου Κόσμε ά ά",
    "שלום עולם שָׁלוֹם",
    "مرحبا بالعالم السَّلَامُ ١٢٣ ۱۲۳ ـ",
    "کتاب می‌خواهم نیم‌فاصله",
    "اردو میں متن ہے۔ ؟ ،",
    "हिन्दी में पाठ क्षत्रिय श्री र्‍क क्‍ष १२३",
    "বাংলা ভাষা কর্ম ক্‌ষ র‍্যাব",
    "മലയാളം അവന്‍ ന്‍ ൻ മലയാളത്തില്‍ ക്ഷ",
    "සිංහල ශ්‍රී ලංකාව ක්‍ෂ",
    "தமிழ் மொழி க்ஷ ௧௨௩",
    "తెలుగు భాష ಕನ್ನಡ ಭಾಷೆ ગુજરાતી ਪੰਜਾਬੀ ଓଡ଼ିଆ",
    "ภาษาไทย น้ำ กำ สวัสดี ๑๒๓",
    "ພາສາລາວ ນ້ຳ ຳ မြန်မာဘာသာ ភាសាខ្មែរ ១២៣",
    "བོད་སྐད་ ༡༢༣ ཨོཾ ། ꯃꯩꯇꯩ ᠮᠣᠩᠭᠣᠯ",
    "አማርኛ ፩፪፫ ։ Հայերեն ՝ ქართული ᲥᲐᲠᲗᲣᲚᲘ",
    "中文文本，包括标点。「引号」《书名》、；：！？",
    "漢字かな交じり文。カタカナ ｶﾀｶﾅ ﾊﾟ ハ゜ 々〆ヶ",
    "𠮷野家 𪚥 㐀 豈 你 \U0002ebf0 \U00030000",
    "한국어 텍스트 각 ᄀ 가 각 각 ㄱㄴ",
    "ＦＵＬＬ　ｗｉｄｔｈ　１２３　！＂＃～",
    "①②③ ⅷ Ⅻ ½ ² ³ ¹ ₁ ℃ ℡ ㎏ ㍿ ㋿ ㏂",
    "١ ۱ १ ১ ๑ 𝟙 𝟷 𝒜𝓑𝔠 ℵ",
    "$100 €50 £20 ¥1000 ₹99 ₿ + < = > ^ ` | ~",
    "punctuation!!! ... --- ??? ''' \"\"\" ((())) [[]] {{}} ,,,;;;:::",
    "mixed-hyphen‐dash‑en–em—bar―minus−",
    "quotes “double” ‘single’ «angle» ‹single› „low‟ ‚",
    "snake_case camelCase PascalCase kebab-case CONST_CASE __dunder__",
    "foo foobar foo_ foo1 éfoo foo-foo (foo) foo\u0301 foo\u200d foofoo",
    "<s> </s> <mask> [MASK] [CLS] <|im_start|> <|im_end|> <a><b> <a> <b>",
    "before<mask>after before <mask> after <mask>  <mask>",
    "[mask] [Mask] [MASK] <MASK> Mask mask",
    "email@example.com https://example.com/path?query=1&x=2#frag",
    "3.14159 1,000,000 1e10 0xff 1/2 12:34:56 2024-01-01",
    "1 12 123 1234 12345 123456 1234567",
    "def f(x):\n    return x ** 2  # comment\n\n\n\tif x:\n\t\tpass\n",
    "for (int i = 0; i < n; ++i) { a[i] = b->c; } // x",
    "😀 😃😄 🙂\ufe0f ☺\ufe0f ☺\ufe0e ❤\ufe0f 🤣 🥰 🫠 🫶",
    "👨‍👩‍👧‍👦 👩🏽‍💻 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👋🏻👋🏿",
    "🇩🇪🇫🇷🇺 🇸 1️⃣ #️⃣ *️⃣",
    "♥ ☎ ✂ ✈ ⚠ ™ © ® ⓒ",
    "arrows ←↑→↓ ⇒ ∀∃∈ ∑∏ √∞ ≤≥≠ ╔═╗ ░▒▓ ▁▂▃",
    "▁already▁marked ▁▁two ▁ ▁a▁",
    "<0x41> <0xE5> </w> ## ##ing @@ |",
    "a\u0300b\u0301c\u0302 \u0301alone \u0301\u0302",
    "\u0301 begins with a mark",
    "\u200dbegins \u200d joiner",
    "\u00adsoft\u00adhyphen\u00ad",
    "\t\tbegins with tabs",
    "\nbegins with a line feed\n",
    "\ufeffbegins with a mark of order",
    "\x01begins with a control",
    "ends with a mark of order\ufeff",
    "ends with spaces   ",
    "ends with a line feed\n\n",
    "   \n  \n\n   ",
    "\r\n\r\n \r \n",
    "𝕳𝖊𝖑𝖑𝖔 𝐖𝐨𝐫𝐥𝐝 🅰🅱 🄰 🅐",
    "𐐀𐐨 𐌰𐌱 𒀀 𓀀 𞤀𞤢 𞥄 𑀓𑁆 𑜞",
    "ʻokina ʼapostrophe ˈstress ʰ ᵃ ⁿ ˢ",
    "Ꭰ Ꮳ ꭰ ᏸ Ა ⴀ Ⴀ Ⰰⰰ Ɐ Ꙁꙁ Ꞌ",
    "·middle · ･ ・ ։ ׀ ؛ ۔ । ॥ ෴ ๏ ༄ ⸻ ⹂ ⹃ ⹏ ﹏ ＿ ‿",
    "᙭ 𑇉 ॰ ੶ ౷ ಄ ᜞ ᜴ ᳲ 𑜞",
    "a" * 70,
    "ab" * 60,
    "aaaa " * 30,
    "x" * 130 + " " + "é" * 120,
    "!" * 90,
    " " * 80 + "a",
    "0" * 90,
    "中" * 60,
    "😀" * 40,
    "e" + "\u0301" * 40,
    "\u200d" * 30,
    "ᄀ" * 20 + "ᅡ" * 20,
    "abc" * 100 + "z" + "ab" * 77 + "中文" * 30,
    "the quick brown fox jumps over the lazy dog " * 6,
    "Supercalifragilisticexpialidocious antidisestablishmentarianism",
    "Donaudampfschifffahrtsgesellschaftskapitän Rindfleischetikettierungsüberwachung",
    "don't DON'T can'T it'S we'LL we'Re 'twas ' s 's s'",
    "'s 't 're 've 'm 'll 'd 'S 'T 'ſ '",
    "ﷺ ﷽ ﻻ ﺍ ﺎ ﯾ",
    "ㅋㅋㅋ ﾞﾟ ゛゜ が か\u3099",
    "\u1100\u1161\u11a8 \uac00\u11a8 \uac01 \u1100\uac00",
    "ǰ ẘ ẙ ΐ ΰ ﬃ ﬓ",
    "Ⱥ Ⱦ ⱥ ⱦ ẞ Ⴆ ꟿ Ω K",
    "q\u0323\u0307 q\u0307\u0323 ḍ̇ ḍ\u0307",
    "\U0001d15e \U0001d15f \u2adc \u0958 \ufb1d \u0f73",
    "x\u034fy a\u035cb \u0e33 \u0eb3 ำ",
    "tail of \u0600 1 \u06dd 2 \u070f 3 \u08e2 4 \U000110bd 5",
]

_ALPHABET = sorted(set("".join(HARD)))


def mixtures(count, seed=7):
    """Random texts: pieces of the hard ones, with single characters of all of them in between."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 8)):
            if rng.random() < 0.5:
                text = rng.choice(HARD)
                start = rng.randint(0, len(text))
                parts.append(text[start : start + rng.randint(1, 12)])
            else:
                parts.append("".join(rng.choice(_ALPHABET) for _ in range(rng.randint(1, 5))))
            if rng.random() < 0.4:
                parts.append(rng.choice([" ", "  ", "\n", "a", "foo", "<mask>", "1"]))
        out.append("".join(parts))
    return out
