//! Distinguishes Chinese and Japanese.
//!
//! Kana is Japanese. Han characters alone are Chinese if enough of them are used in Chinese only: simplified forms that Japan
//! does not share, and the pronouns and particles of the modern language. Other texts, such as a Japanese headline, a name or
//! classical Chinese, could be either.

use super::{UNDETERMINED, confidence};

/// Minimum number of distinguishing characters for a reliable answer.
const MIN_SIGNS: usize = 2;
/// Minimum fraction of kana among kana and kanji in a Japanese text.
const MIN_KANA: f64 = 0.1;
/// Minimum fraction of characters that indicate Chinese.
const MIN_CHINESE: f64 = 0.04;
/// Minimum fraction of characters that indicate Cantonese among those that indicate Chinese.
const MIN_CANTONESE: f64 = 0.2;

/// The language of a text in Han characters and kana, with its confidence.
pub fn tell(text: &str) -> (&'static str, f64) {
    let (mut han, mut kana, mut ainu, mut chinese, mut cantonese) = (0, 0, 0, 0, 0);
    let (mut classical, mut modern) = (0, 0);
    for c in text.chars() {
        match c {
            '\u{31f0}'..='\u{31ff}' => ainu += 1,
            '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{ff66}'..='\u{ff9d}' => kana += 1,
            '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
                han += 1;
                classical += usize::from(matches!(c, '之' | '乎' | '也' | '矣' | '焉' | '哉' | '曰' | '亦'));
                modern += usize::from(matches!(
                    c,
                    '的' | '了' | '们' | '們' | '是' | '我' | '你' | '他' | '这' | '這' | '在'
                ));
                if is_cantonese(c) {
                    cantonese += 1;
                } else if is_chinese(c) {
                    chinese += 1;
                }
            }
            _ => {}
        }
    }
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let of_kana = share(kana, kana + han);
    if kana > 0 && (of_kana >= MIN_KANA || chinese == 0) {
        let strength = (kana as f64 / MIN_SIGNS as f64).min(of_kana / MIN_KANA);
        return if ainu * 50 > kana { (UNDETERMINED, 0.0) } else { ("jpn", confidence(strength)) };
    }
    let is_cantonese = cantonese > 0 && share(cantonese, cantonese + chinese) >= MIN_CANTONESE;
    if is_cantonese || classical > modern || chinese == 0 {
        return (UNDETERMINED, 0.0);
    }
    let purity = if kana == 0 { 1.0 } else { 0.9 };
    let strength = (chinese as f64 / MIN_SIGNS as f64).min(share(chinese, han) / MIN_CHINESE);
    ("cmn", confidence(strength) * purity)
}

fn is_cantonese(c: char) -> bool {
    matches!(
        c,
        '嘅' | '咗'
            | '喺'
            | '唔'
            | '冇'
            | '嚟'
            | '啲'
            | '佢'
            | '哋'
            | '嗰'
            | '咁'
            | '乜'
            | '嘢'
            | '畀'
            | '睇'
            | '攞'
    )
}

/// Characters that modern Chinese uses and modern Japanese does not.
fn is_chinese(c: char) -> bool {
    // Simplified radicals, each a range of the code.
    matches!(c,
        '\u{8ba0}'..='\u{8c36}' | '\u{9485}'..='\u{953e}' | '\u{7ea0}'..='\u{7f35}' | '\u{8d1d}'..='\u{8d60}'
        | '\u{8f66}'..='\u{8f9a}' | '\u{95e8}'..='\u{961b}' | '\u{9875}'..='\u{98a7}' | '\u{9963}'..='\u{9995}'
        | '\u{9a6c}'..='\u{9aa8}' | '\u{9c7c}'..='\u{9ce3}' | '\u{9e1f}'..='\u{9e76}' | '\u{89c1}'..='\u{89d1}'
        | '\u{957f}' | '\u{98ce}' | '\u{98de}')
        || SIGNS.binary_search(&c).is_ok()
}

/// Pronouns and particles, other simplified forms, and traditional forms that Japan has simplified, in order.
const SIGNS: [char; 295] = [
    '东', '个', '为', '么', '乐', '习', '书', '买', '亂', '亚', '产', '亲', '仅', '从', '们', '价', '众', '优', '伟',
    '传', '伤', '你', '來', '們', '傳', '價', '决', '况', '击', '则', '刚', '创', '剧', '办', '务', '动', '劳', '势',
    '勞', '區', '华', '协', '单', '卖', '卫', '厂', '厅', '历', '压', '县', '发', '变', '吗', '吧', '听', '启', '呀',
    '员', '呢', '响', '哪', '啊', '單', '嗎', '园', '围', '图', '圆', '圍', '圖', '團', '圣', '场', '坏', '块', '坚',
    '坛', '壓', '处', '备', '复', '够', '头', '夹', '夺', '奋', '奖', '她', '妇', '妈', '妳', '娱', '孙', '宁', '宾',
    '實', '寫', '对', '寻', '导', '將', '對', '层', '岁', '岂', '岛', '币', '帅', '师', '帐', '带', '帮', '庆', '库',
    '应', '庙', '废', '异', '张', '弹', '归', '录', '彻', '很', '從', '忆', '怀', '态', '总', '您', '悬', '惊', '愿',
    '應', '战', '戰', '户', '扑', '执', '扩', '扫', '扬', '护', '报', '拥', '择', '挂', '挥', '损', '换', '摄', '擊',
    '擔', '據', '时', '显', '晓', '會', '术', '杀', '权', '极', '构', '枪', '标', '树', '样', '桥', '检', '樂', '樣',
    '權', '欢', '歡', '毕', '氣', '汉', '汤', '沒', '沟', '泪', '泽', '洁', '测', '济', '涨', '渐', '满', '灭', '灵',
    '热', '爱', '爷', '牵', '猎', '獨', '环', '现', '电', '當', '疗', '發', '盐', '监', '盖', '盘', '矿', '码', '础',
    '确', '离', '种', '积', '笔', '简', '类', '紧', '經', '總', '繼', '續', '罗', '罚', '职', '联', '聲', '聽', '肃',
    '胜', '脑', '脸', '艺', '节', '苏', '药', '获', '處', '號', '虽', '补', '觀', '該', '說', '譯', '讀', '變', '讓',
    '賣', '赵', '趋', '跃', '轉', '辦', '辽', '达', '迁', '过', '运', '还', '这', '进', '远', '违', '连', '迟', '适',
    '选', '递', '這', '遗', '邮', '邻', '郑', '释', '關', '队', '阳', '阴', '阵', '阶', '际', '陆', '陈', '险', '隐',
    '难', '雙', '雾', '顯', '驗', '體', '點', '黨', '齐', '龙',
];

#[cfg(test)]
mod tests {
    use super::super::RELIABLE;
    use super::*;

    #[test]
    fn signs_are_in_order() {
        assert!(SIGNS.is_sorted());
    }

    #[test]
    fn chinese_japanese_and_neither() {
        for (text, code, reliable) in [
            ("我们今天去公园散步，天气非常好。", "cmn", true),
            ("我們今天去公園散步，天氣非常好。", "cmn", true),
            ("今日は公園を散歩しました。", "jpn", true),
            ("カタカナ", "jpn", true),
            ("東京都知事選挙結果発表", UNDETERMINED, false),
            ("山田太郎", UNDETERMINED, false),
            ("日本国憲法", UNDETERMINED, false),
            ("大学", UNDETERMINED, false),
            ("國學院大學", UNDETERMINED, false),
            ("佢哋今日去咗公園散步，天氣好好。", UNDETERMINED, false),
            ("學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？", UNDETERMINED, false),
            ("の", "jpn", false),
        ] {
            let (found, confidence) = tell(text);
            assert_eq!((found, confidence > RELIABLE), (code, reliable), "{text} {confidence}");
        }
    }
}
