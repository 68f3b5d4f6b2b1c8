"""Words of the pages: titles, headings, explanations."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "title.oee": ("Production report", "生产报告"),
    "head.site": ("Site", "地点"),
    "head.agent": ("Agent", "采集网关"),
    "head.made": ("Printed", "生成时间"),
    "head.until": ("Data until", "数据截至"),
    "head.passed_over": (
        "{n} records of the journal could not be read and are missing here.",
        "日志中有 {n} 条记录无法读取，本报告未包含。",
    ),
    "head.zone": ("Time zone", "时区"),
    # -- the record's header -----------------------------------------------------------------------------
    "record": ("Record", "记录"),
    "record.window": ("Window", "时段"),
    "record.revision": ("Revision", "修订号"),
    "record.state": ("Record", "记录状态"),
    "record.as_of": ("As of", "数据截至"),
    "record.config_hash": ("Configuration", "配置指纹"),
    "record.final": ("final", "最终"),
    "record.provisional": ("provisional", "暂定"),
    "window.shift": ("Shift", "班次"),
    "window.hour": ("Hour", "小时"),
    "window.day": ("Day", "日"),
    "window.job": ("Job", "工单"),
    "window.production_day": ("Production day", "生产日"),
    "window.span": ("Period", "时间段"),
    "revisions": ("Revisions", "修订记录"),
    "trace": ("Journal", "日志核对"),
    "trace.same": (
        "Added up again from the facts in the journal: the same, to the nanosecond.",
        "由日志中的事实重新累加：与记录完全一致（精确到纳秒）。",
    ),
    "trace.fresh": (
        "The agent has made no record of this window; the figures were added up for this page.",
        "采集网关没有为该时段生成记录；数值由本报告即时计算。",
    ),
    "trace.differs": (
        "Added up again from the facts in the journal, the figures are others than in the record. "
        "The record is shown; pictures and lists below come from the journal.",
        "由日志重新累加的结果与记录不一致。数值以记录为准，下方图表与清单来自日志。",
    ),
    "trace.rules": (
        "The site file judges differently now than when the record was made. "
        "The record is shown; pictures and lists below follow the present rules.",
        "站点文件的判定规则在记录生成后已改变。数值以记录为准，下方图表与清单按现行规则。",
    ),
    "trace.gone": (
        "The journal no longer keeps what this record was made of: no pictures, no lists.",
        "日志已不再保存该记录的原始事实：无法提供图表与清单。",
    ),
    # -- summary -----------------------------------------------------------------------------------------
    "summary": ("Summary", "概览"),
    "machines": ("Machines", "设备"),
    "machine": ("Machine", "设备"),
    "line": ("Line", "产线"),
    "flags": ("Flags", "标记"),
    "no_flags": ("Nothing speaks against these figures.", "数据未发现异常。"),
    "good": ("Good", "合格"),
    "total": ("Total", "总数"),
    "scrap": ("Scrap", "废品"),
    "rework": ("Rework", "返工"),
    "coverage": ("Data", "数据覆盖率"),
    "made": ("{good} good of {total}", "合格 {good} / 总数 {total}"),
    "more": ("{n} more are in the workbook (XLSX).", "其余 {n} 项见 XLSX 工作簿。"),
    "groups": ("Lines, area, site", "产线、区域、工厂"),
    "groups.note": (
        "Sums of the machines' times and pieces, then ratios: no mean of percentages. "
        "Comparable only where the machines are judged by the same rules.",
        "先累加各设备的时间与件数，再计算比率，不对百分比取平均。只有判定规则相同的设备才可比较。",
    ),
    "groups.line": (
        "A serial line is measured by what leaves it, over its own planned time; availability and performance are "
        "those of its constraint, quality is the rolled throughput yield.",
        "串联产线按末端合格产出与产线计划时间衡量；开动率与性能取瓶颈工位，合格率为滚动直通率。",
    ),
    "group.paced": ("Constraint", "瓶颈"),
    "group.constraint": ("constraint {name}", "瓶颈 {name}"),
    "group.line": ("Line {name}", "产线 {name}"),
    "group.area": ("Area {name}", "区域 {name}"),
    "group.site": ("Site {name}", "工厂 {name}"),
    "group.all": ("All machines", "全部设备"),
    # -- both splits -------------------------------------------------------------------------------------
    "splits": ("OEE in both splits", "两种分解方式"),
    "split.classic": ("Classic", "经典算法"),
    "split.iso": ("ISO 22400", "ISO 22400"),
    "split.availability": ("Availability", "开动率"),
    "split.performance": ("Performance / effectiveness", "性能 / 有效率"),
    "split.quality_count": ("Quality by count", "合格品率（按件数）"),
    "split.quality_time": ("Quality weighted by ideal time", "合格品率（按理想时间加权）"),
    "split.product": ("A × P × Q, Q weighted by ideal time", "A × P × Q（Q 按理想时间加权）"),
    "split.oee": ("OEE", "设备综合效率 OEE"),
    "splits.note": (
        "Both splits give the same OEE; they differ in whether a short stop costs availability (ISO 22400) "
        "or performance (classic).",
        "两种分解得到相同的 OEE，区别在于短暂停机计入可用率损失（ISO 22400）还是性能损失（经典算法）。",
    ),
    "bounds.note": (
        "What it could be, if the time without data had been all stop or all run.",
        "若无数据时间全部为停机或全部为运行，数值可能的范围。",
    ),
    "capped": ("With performance limited to 100 %", "性能封顶为 100 % 时"),
    # -- timeline ----------------------------------------------------------------------------------------
    "timeline": ("What the machine did", "设备运行情况"),
    "figure.timeline": ("Timeline of states", "状态时间轴"),
    "timeline.state": ("State", "状态"),
    "timeline.time": ("Time", "时长"),
    "timeline.share": ("Share", "占比"),
    "timeline.thinned": (
        "Drawn in {n} pieces, each in the state that prevailed; the table of stops has them all.",
        "共绘制 {n} 段，每段取其主要状态；停机明细表中列出全部。",
    ),
    "plan.BUSY": ("Planned busy", "计划忙碌"),
    "plan.PLANNED_DOWN": ("Planned down", "计划停机"),
    "plan.NON_SCHEDULED": ("Not scheduled", "未排班"),
    "buckets": ("Where calendar time went", "日历时间的去向"),
    "buckets.note": (
        "Every second is in exactly one bucket.",
        "每一秒恰好属于一个时间类别。",
    ),
    "buckets.ct": ("Calendar time", "日历时间"),
    "buckets.yet": ("of {ct} so far", "（截至目前，共 {ct}）"),
    "bucket": ("Bucket", "时间类别"),
    "stretches": ("Stretches behind each sum", "各项时间的明细区间"),
    "stretches.n": ("{n} stretches", "{n} 段"),
    "stretches.more": (
        "The {n} longest are listed; the workbook (XLSX) has all.",
        "列出最长的 {n} 段；全部见 XLSX 工作簿。",
    ),
    # -- losses ------------------------------------------------------------------------------------------
    "waterfall": ("Where planned busy time went", "计划忙碌时间的去向"),
    "waterfall.sum": ("Sum", "合计"),
    "waterfall.check": (
        "{sum} s add up; planned busy time is {pbt} s.",
        "各项合计 {sum} s；计划忙碌时间 {pbt} s。",
    ),
    "share_of_pbt": ("Of planned time", "占计划时间"),
    "six": ("Six Big Losses", "六大损失"),
    "loss": ("Loss", "损失"),
    "pareto": ("Why it stopped", "停机原因"),
    "pareto.reason": ("Reason", "原因"),
    "pareto.count": ("Times", "次数"),
    "pareto.time": ("Time", "时长"),
    "pareto.note": (
        "Planned time only. Times count where they began: 0 is a stop that began before this window.",
        "仅统计计划时间。次数计入停机开始的时段：0 表示停机始于本时段之前。",
    ),
    "from": ("From", "开始"),
    "until": ("Until", "结束"),
    # -- production --------------------------------------------------------------------------------------
    "production": ("Production", "产量"),
    "figure.curve": ("Pieces since the beginning of the window", "时段内累计件数"),
    "curve.ideal": ("What the ideal cycle allows in planned time", "按理想节拍的计划产量"),
    "curve.total": ("Total", "总数"),
    "curve.good": ("Good", "合格"),
    "products": ("By product", "按产品"),
    "jobs": ("Jobs", "工单"),
    "product": ("Product", "产品"),
    "order": ("Order", "工单"),
    "product.unnamed": ("one product", "单一产品"),
    "hours": ("By hour", "按小时"),
    "hour": ("Hour", "小时"),
    # -- reliability, SEMI -------------------------------------------------------------------------------
    "reliability": ("Reliability", "可靠性"),
    "reliability.note": (
        "Operating time is production and setup, with the tail since the last failure. Without a failure MTBF is not "
        "defined; it is then at least {time}.",
        "运行时间为生产与调整时间，含最后一次故障之后的时间。没有故障时 MTBF 无定义，但至少为 {time}。",
    ),
    "semi": ("SEMI E10 states", "SEMI E10 状态"),
    # -- energy and what was measured --------------------------------------------------------------------
    "energy": ("Energy by state", "分状态能耗"),
    "carbon": ("Energy, carbon, standard coal", "能耗、碳排放与标准煤"),
    "carbon.note": (
        "CO₂ location-based: {factor} kg/kWh, {region} {year} ({source}).",
        "CO₂ 按所在地电网因子：{factor} kg/kWh，{region} {year}（{source}）。",
    ),
    "carbon.none": (
        "The site file names no grid factor, so there is no CO₂.",
        "站点文件未指定电网排放因子，因此没有 CO₂ 数值。",
    ),
    "carbon.coal": ("Standard coal: {factor} kgce/kWh ({source}).", "标准煤折算：{factor} kgce/kWh（{source}）。"),
    "spc": ("Measured characteristics", "质量特性与过程能力"),
    "spc.characteristic": ("Characteristic", "特性"),
    "spc.mean": ("Mean", "均值"),
    "spc.limits": ("Limits", "规格限"),
    "spc.refused": ("{n} readings were not believed", "{n} 个读数不可信"),
    "spc.note": (
        "Cp and Cpk by the mean standard deviation of subgroups, Pp and Ppk by that of all readings.",
        "Cp、Cpk 采用子组标准差均值，Pp、Ppk 采用全部读数的标准差。",
    ),
    # -- KPI table ---------------------------------------------------------------------------------------
    "kpis": ("All KPIs, with formula and inputs", "全部指标、公式与输入"),
    "kpis.note": (
        "Formulas use the names of the KPI record; times are seconds. A dash is a value that is not defined.",
        "公式使用指标记录中的名称；时间单位为秒。短横表示该值无定义。",
    ),
    "kpi": ("KPI", "指标"),
    "value": ("Value", "数值"),
    "formula": ("Formula", "公式"),
    "inputs": ("Inputs", "输入"),
    "source": ("Source", "来源"),
    "elements": ("Time elements and counts", "时间要素与计数"),
    "name": ("Name", "名称"),
    "unit": ("Unit", "单位"),
    # -- the workbook: sheets and what stands above them ----------------------------------------------------
    "book.kpis": ("KPIs", "指标"),
    "book.kpis.note": (
        "Formulas over the sheet of time elements, as written below each name. Empty: not defined, never 0.",
        "由“时间要素与计数”表按名称下方的公式计算。空白表示无定义，而不是 0。",
    ),
    "book.elements": (
        "Times in seconds. What the listed stretches add up to is a sum over their sheet.",
        "时间单位为秒。由明细区间累加的要素为对明细表的求和公式。",
    ),
    "book.losses": ("Losses", "损失"),
    "book.losses.note": (
        "Seconds. The waterfall adds up to planned busy time; then the Six Big Losses.",
        "单位为秒。损失瀑布合计等于计划忙碌时间；其后为六大损失。",
    ),
    "book.rest": ("Not accounted for", "未归类"),
    "book.rest.note": ("always 0", "恒为 0"),
    "book.stretches": ("Stretches", "明细区间"),
    "book.stretches.note": (
        "Where calendar time went, stretch by stretch; times of the day are local.",
        "日历时间逐段明细；时刻为当地时间。",
    ),
    "book.cut": (
        "A sheet holds no more rows: ask for fewer machines or a shorter window.",
        "工作表行数已满：请减少设备或缩短时段。",
    ),
    "book.begins": ("Begins here", "始于本时段"),
    "book.seconds": ("Seconds", "秒"),
    "book.sum": ("Sum of all rows", "所有行合计"),
    "book.formulas": ("Formulas", "公式"),
}
