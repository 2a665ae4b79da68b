/*
 * What comes down the socket, and the nouns it speaks of. All types are the server's own (api.d.ts is generated); this
 * file only gives them short names.
 */
import type { components } from "./api";

type Schemas = components["schemas"];

export type HubEvent = Schemas["HubEvent"];
export type VolatileEvent = Schemas["VolatileEvent"];
export type Frame = Schemas["EventsFrame"];
export type Snapshot = Schemas["Snapshot"];

export type AgentView = Schemas["AgentView"];
export type AlertRuleView = Schemas["AlertRuleView"];
export type WebhookView = Schemas["WebhookView"];
export type WebhookDelivery = Schemas["WebhookDelivery"];
export type WebhookDeliveryDetails = Schemas["WebhookDeliveryDetails"];
export type WebhookTest = Schemas["WebhookTest"];
export type WebhookEventName = Schemas["Told"];
export type AlertView = Schemas["AlertView"];
export type AttachmentView = Schemas["AttachmentView"];
export type BoardAgentView = Schemas["BoardAgentView"];
export type BoardQueueView = Schemas["BoardQueueView"];
export type BoardView = Schemas["BoardView"];
export type CallbackView = Schemas["CallbackView"];
export type CallSegmentView = Schemas["CallSegmentView"];
export type CallView = Schemas["CallView"];
export type CalendarUseView = Schemas["CalendarUseView"];
export type CalendarView = Schemas["CalendarView"];
export type CannedReplyBody = Schemas["NewCannedReply"];
export type CannedReplyView = Schemas["CannedReplyView"];
export type CannedTextView = Schemas["CannedTextView"];
export type ChannelView = Schemas["ChannelView"];
export type ContactBehind = Schemas["ContactBehind"];
export type ContactPointView = Schemas["ContactPointView"];
export type ConversationView = Schemas["ConversationView"];
export type CustomerView = Schemas["CustomerView"];
export type DeliveryView = Schemas["DeliveryView"];
export type EntryView = Schemas["EntryView"];
export type FlowBody = Schemas["FlowBody"];
export type FlowNode = FlowBody["nodes"][string];
export type FlowSpoken = Schemas["FlowSpoken"];
export type FlowView = Schemas["FlowView"];
export type HeardStep = Schemas["HeardStep"];
export type KpiAlertView = Schemas["KpiAlertView"];
export type LegView = Schemas["LegView"];
export type Mailbox = Schemas["Mailbox"];
export type EscalationView = Schemas["ConversationEscalation"];
export type EstimateView = Schemas["EstimateView"];
export type FigureDefaultsView = Schemas["FigureDefaultsView"];
export type Explanation = Schemas["Explanation"];
export type MeasureAbout = Schemas["MeasureDefinition"];
export type MailDetail = Schemas["MailDetail"];
export type MailView = Schemas["MailView"];
export type NewMail = NonNullable<Schemas["NewMessage"]["mail"]>;
export type InboxItem = Schemas["InboxItem"];
export type Mention = Schemas["Mention"];
export type NoticeRulesView = Schemas["NoticeRulesView"];
export type TaskView = Schemas["TaskView"];
export type NumbersView = Schemas["NumbersView"];
export type OfferView = Schemas["OfferView"];
export type PolicyView = Schemas["PolicyView"];
export type PlaceView = Schemas["PlaceView"];
export type QueueLengthView = Schemas["QueueLengthView"];
export type QueueNumbersView = Schemas["QueueNumbersView"];
export type QueueView = Schemas["QueueView"];
export type RecordingDetail = Schemas["RecordingDetail"];
export type RecordingSettings = Schemas["RecordingSettings"];
export type RecordingView = Schemas["RecordingView"];
export type RemakingView = Schemas["RemakingView"];
export type ReportQueryView = Schemas["ReportQueryView"];
export type RequirementView = Schemas["RequirementView"];
export type Rule = Schemas["Rule"];
export type RulePlacement = Schemas["RulePlacement"];
export type RulesOverview = Schemas["RulesOverview"];
export type RuleTrial = Schemas["RuleTrial"];
export type RuleSetView = Schemas["RuleSetView"];
export type SkillMatrix = Schemas["SkillMatrix"];
export type SkillRow = Schemas["AgentSkills"];
export type SkillView = Schemas["SkillView"];
export type SoundView = Schemas["SoundView"];
export type SavedView = Schemas["SavedView"];
export type SearchHit = Schemas["SearchHit"];
export type SnippetPart = Schemas["SnippetPart"];
export type ViewFilter = Schemas["ConversationFilter"];
export type SurveyPreview = Schemas["SurveyPreview"];
export type SurveySettingView = Schemas["SurveySettingView"];
export type SurveyView = Schemas["SurveyView"];
export type SpecialDayView = Schemas["SpecialDayView"];
export type TargetView = Schemas["TargetView"];
export type TeamView = Schemas["TeamView"];
export type TopicView = Schemas["TopicView"];
export type UserView = Schemas["UserView"];
export type VoiceView = Schemas["VoiceView"];

export type AgentStates = Schemas["AgentStates"];
export type FigureReport = Schemas["FigureReport"];
export type FigureRow = Schemas["FigureRow"];
export type FigureValue = Schemas["FigureValue"];
export type LeaderBoard = Schemas["LeaderBoard"];
export type LoadReport = Schemas["LoadReport"];
export type ReportSchedule = Schemas["ReportSchedule"];
export type ReportScheduleBody = Schemas["UpdateReportSchedule"];
export type ScheduledQuery = ReportSchedule["query"];
export type StateDay = Schemas["StateDay"];
export type StateSpell = Schemas["StateSpell"];
export type StatesReport = Schemas["StatesReport"];

export type AgentState = Schemas["AgentState"];
export type ChannelKind = Schemas["ChannelKind"];
export type Delivery = Schemas["Delivery"];
export type OverflowStep = Schemas["OverflowView"];
export type WorkState = Schemas["WorkState"];
export type Role = Schemas["Role"];

/** A message of the socket, each kind told by the one key it has. */
export type SocketMessage = Schemas["Frame"];

export type AuditAct = Schemas["AuditAct"];
export type AbsentAgent = Schemas["AbsentAgent"];
export type AdherenceReport = Schemas["AdherenceReport"];
export type AgentAdherence = Schemas["AgentAdherence"];
export type AgentShifts = Schemas["AgentShifts"];
export type ForecastError = Schemas["ForecastError"];
export type ForecastInterval = Schemas["ForecastInterval"];
export type ForecastReport = Schemas["ForecastReport"];
export type ShiftPiece = Schemas["ShiftPiece"];
export type ShiftsReport = Schemas["ShiftsReport"];
export type StaffedFigures = Schemas["StaffedFigures"];
export type StaffingPlanView = Schemas["StaffingPlanView"];
export type WhatIf = Schemas["WhatIf"];
export type WhatIfAnswer = Schemas["WhatIfAnswer"];

export type RenderedReply = Schemas["RenderedReply"];
export type Placeholder = RenderedReply["missing"][number];
