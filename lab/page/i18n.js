// The words of the page in English and Chinese. Findings and errors are confd's own words.

const english = {
  seen_from: "Seen from",
  recorded: "recorded",
  joins: "joins",
  the_node: "the recorded node",
  metadata: "Metadata",
  files: "Files",
  template: "Template",
  output: "Output",
  show_changes: "changes",
  search: "Search keys and values",
  add: "+ value",
  add_node: "+ node",
  download: "Download recording",
  language: "中文",
  theme_auto: "Auto",
  theme_light: "Light",
  theme_dark: "Dark",
  theme_title: "Light or dark",
  help: "Keyboard",
  edit: "edit",
  empty: "empty",
  remove: "remove",
  no_value: "empty",
  edits: (n) => (n === 1 ? "1 edit" : `${n} edits`),
  undo: "undo",
  reset: "reset",
  nothing_found: "Nothing found.",
  more: (n) => `and ${n} more`,
  made: "made by this stage; change it in the stage as recorded",
  key: "Key",
  value: "Value",
  role: "Role",
  ok: "Apply",
  cancel: "Cancel",
  no_roles: "without roles",
  first_stage: "nothing is known of the files before",
  after: (name) => `compared with “${name}”`,
  after_nothing: "on a new machine",
  changes: (n) => (n === 1 ? "1 file changes" : `${n} files change`),
  no_changes: "no file changes",
  fails: (n) => (n === 1 ? "1 file fails" : `${n} files fail`),
  reloads: (n, commands) => `${n === 1 ? "1 reload" : `${n} reloads`}: ${commands}`,
  group_between_writes: "only between two writes of the platform",
  group_absent_parameters: "only where the application lacks the parameter",
  stays: (key) => `${key} leaves the file alone.`,
  kept: "The file stays as it was:",
  kept_none: "There is no file.",
  new_file: "new file",
  changed: "changes",
  failed: "fails",
  uses: (n) => (n === 1 ? "1 line" : `${n} lines`),
  from: "from",
  because: "because of",
  text: "text of the template",
  used_in: "used in",
  used_nowhere: "used in no file",
  hint: "Point at the output or at a key to see what belongs together; a click keeps it, Esc lets go.",
  truncated: "The rest of the file is not shown.",
  cures: {
    recording: "Correct the recording, or make a new one on a node with confd -dump. The page goes on as soon as it is saved.",
    settings: "Correct confd.toml. The page goes on as soon as it is saved.",
    node: "Check the address of the node, and that its metadata service runs. It is asked again every second.",
  },
  away: "The program has ended. Start it again to go on.",
  full: "Too many pages are open: this one does not follow what is saved. Click into it to go on.",
  stage: "Stage",
  go_to: "Show",
  keys: [
    ["/", "search the metadata"],
    ["[  ]", "previous, next stage"],
    [",  .", "previous, next file"],
    ["n", "choose the node"],
    ["m  t  o", "go to metadata, template, output"],
    ["↑ ↓ ← →", "move in the metadata or in the output"],
    ["Enter", "edit a value; keep what is pointed at"],
    ["Delete", "remove a key"],
    ["d", "show changes"],
    ["u", "undo the last edit"],
    ["Esc", "let go"],
  ],
  short: {
    "as-recorded": "recorded",
    created: "created",
    "scale-out": "joining",
    "scale-out-done": "joined",
    "scale-in": "leaving",
    "scale-in-done": "left",
    "vertical-scaling": "resizing",
    "vertical-scaling-done": "resized",
    "role-without-nodes": "no",
    restarted: "restarted",
    "link-absent": "no links",
    "parameter-empty": "empty",
    "between-scale-out": "in adding",
    "between-scale-in": "in deleting",
    "parameter-absent": "absent",
  },
};

const chinese = {
  seen_from: "所见节点",
  recorded: "录制节点",
  joins: "新加入",
  the_node: "录制的节点",
  metadata: "元数据",
  files: "文件",
  template: "模板",
  output: "输出",
  show_changes: "显示变化",
  search: "搜索键和值",
  add: "+ 值",
  add_node: "+ 节点",
  download: "下载录制文件",
  language: "English",
  theme_auto: "自动",
  theme_light: "浅色",
  theme_dark: "深色",
  theme_title: "浅色或深色",
  help: "键盘",
  edit: "修改",
  empty: "清空",
  remove: "删除",
  no_value: "空",
  edits: (n) => `${n} 处修改`,
  undo: "撤销",
  reset: "还原",
  nothing_found: "没有找到。",
  more: (n) => `还有 ${n} 项`,
  made: "由此阶段产生；请在“按录制”阶段修改",
  key: "键",
  value: "值",
  role: "角色",
  ok: "应用",
  cancel: "取消",
  no_roles: "无角色",
  first_stage: "此前的文件未知",
  after: (name) => `与“${name}”比较`,
  after_nothing: "在新机器上",
  changes: (n) => `${n} 个文件变化`,
  no_changes: "没有文件变化",
  fails: (n) => `${n} 个文件失败`,
  reloads: (n, commands) => `执行 ${n} 次 reload：${commands}`,
  group_between_writes: "仅在平台两次写入之间出现",
  group_absent_parameters: "仅在应用没有该参数时出现",
  stays: (key) => `${key} 使文件不变。`,
  kept: "文件保持原样：",
  kept_none: "没有文件。",
  new_file: "新文件",
  changed: "变化",
  failed: "失败",
  uses: (n) => `${n} 行`,
  from: "来自",
  because: "取决于",
  text: "模板原文",
  used_in: "用于",
  used_nowhere: "没有文件使用",
  hint: "指向输出或键，即可看到相关部分；单击保持，Esc 取消。",
  truncated: "文件其余部分不显示。",
  cures: {
    recording: "请改正录制文件，或在节点上用 confd -dump 重新录制。保存后页面立即恢复。",
    settings: "请改正 confd.toml。保存后页面立即恢复。",
    node: "请检查节点地址，并确认其元数据服务正在运行。每秒会重新请求一次。",
  },
  away: "程序已结束。重新启动后继续。",
  full: "打开的页面过多：此页面不再跟随保存的内容。单击此页面以继续。",
  stage: "阶段",
  go_to: "显示",
  keys: [
    ["/", "搜索元数据"],
    ["[  ]", "上一个、下一个阶段"],
    [",  .", "上一个、下一个文件"],
    ["n", "选择节点"],
    ["m  t  o", "转到元数据、模板、输出"],
    ["↑ ↓ ← →", "在元数据或输出中移动"],
    ["Enter", "修改值；保持所指"],
    ["Delete", "删除键"],
    ["d", "显示变化"],
    ["u", "撤销上一处修改"],
    ["Esc", "取消"],
  ],
  short: {
    "as-recorded": "按录制",
    created: "创建",
    "scale-out": "加入中",
    "scale-out-done": "已加入",
    "scale-in": "离开中",
    "scale-in-done": "已离开",
    "vertical-scaling": "伸缩中",
    "vertical-scaling-done": "已伸缩",
    "role-without-nodes": "无",
    restarted: "重启",
    "link-absent": "无链接",
    "parameter-empty": "参数空",
    "between-scale-out": "仅 adding",
    "between-scale-in": "仅 deleting",
    "parameter-absent": "无参数",
  },
};

/** The names of stages in English; the program knows the Chinese ones, for its reports. */
const stageNames = {
  "as-recorded": "as recorded",
  created: "created with one node of each role",
  "scale-out": "scale out: nodes join",
  "scale-out-done": "scale out: done",
  "scale-in": "scale in: nodes leave",
  "scale-in-done": "scale in: done",
  "vertical-scaling": "vertical scaling",
  "vertical-scaling-done": "vertical scaling: done",
  "role-without-nodes": "no node of role",
  restarted: "stopped and started",
  "link-absent": "links absent",
  "parameter-empty": "parameters empty",
  "between-scale-out": "in adding-hosts only",
  "between-scale-in": "in deleting-hosts only",
  "parameter-absent": "parameters absent",
};

const KEY = "confd-lab-language";
const preferred = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
let current = localStorage.getItem(KEY) ?? preferred;

/** The words of the language that is shown. */
export const words = () => (current === "zh" ? chinese : english);

/** The name of a stage. */
export function stageName(stage) {
  const name = (current === "zh" ? stage.chinese : stageNames[stage.slug]) ?? stage.name;
  return stage.role ? `${name} ${stage.role}` : name;
}

/** A shorter name, for a mark on the slider. */
export function shortName(stage) {
  const name = words().short[stage.slug] ?? stage.name;
  return stage.role ? `${name} ${stage.role}` : name;
}

/** Changes to the other language. */
export function switchLanguage() {
  current = current === "zh" ? "en" : "zh";
  localStorage.setItem(KEY, current);
}

/** Puts the words into the elements that only have words. */
export function translate() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const shown of document.querySelectorAll("[data-i18n]")) {
    shown.textContent = words()[shown.dataset.i18n];
  }
}
