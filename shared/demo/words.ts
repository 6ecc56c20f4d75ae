/** Words that demo records are made of. Names are common ones put together by chance; companies are invented. */
export const firstNames =
  'Ada,Amara,Anton,Aylin,Ben,Bianca,Carlos,Chiara,Dana,David,Elif,Emil,Esther,Farid,Grace,Hana,Hugo,Ines,Ivan,Jamal,Jonas,Jun,Karin,Kofi,Lara,Leon,Lucía,Malik,Marta,Mei,Mila,Nadia,Nils,Noor,Olga,Omar,Paula,Pedro,Priya,Rosa,Samir,Sara,Sofia,Tariq,Tom,Uma,Vera,Wei,Yuki,Zoë'.split(
    ',',
  );
export const lastNames =
  'Abbott,Adeyemi,Albrecht,Almeida,Baker,Bauer,Bianchi,Castro,Chen,Cohen,Dubois,Eriksen,Fischer,Fraser,García,Gupta,Haddad,Hansen,Ibrahim,Ito,Jansen,Kaya,Keller,Kim,Kowalski,Larsen,Lehmann,Lopez,Marino,Meyer,Mensah,Moreau,Müller,Nakamura,Nguyen,Novak,Okafor,Olsen,Park,Patel,Petrov,Quinn,Rossi,Santos,Schmidt,Silva,Tanaka,Varga,Weber,Yilmaz'.split(
    ',',
  );
export const companyNames =
  'Alder,Amberfield,Bluewater,Brightstone,Cedarline,Clearbrook,Copperhill,Dawnridge,Eastgate,Elmwood,Fairhaven,Fernleaf,Foxglove,Graniteworks,Greenacre,Harborview,Hazelmere,Ironbridge,Juniper,Kestrel,Larkspur,Lindenhof,Maplecrest,Meadowbank,Millstone,Northfield,Oakhurst,Pinecrest,Quarry Lane,Redwood Point,Riverbend,Rowan,Saltmarsh,Silverbirch,Stonebridge,Summerhill,Thornbury,Valley Forge Road,Westmoor,Willowbrook'.split(
    ',',
  );
export const companyTrades =
  'Logistics,Foods,Medical,Software,Energy,Textiles,Robotics,Insurance,Print,Packaging,Hotels,Interiors,Optics,Marine,Farming,Ceramics,Bicycles,Analytics,Pharma,Works'.split(
    ',',
  );
export const companyForms = ['Ltd', 'Inc.', 'GmbH', 'LLC', 'S.A.', '& Sons'];
export const products = [
  'Starter plan',
  'Team plan',
  'Enterprise plan',
  'analytics add-on',
  'support package',
  'data migration',
  'training days',
  'renewal',
  'extra seats',
  'pilot',
];
export const callTopics = [
  'pricing',
  'the renewal',
  'open questions on the contract',
  'the demo',
  'delivery dates',
  'the invoice',
  'the rollout',
  'a new project',
  'feedback on the pilot',
  'an introduction',
];
export const emailTopics = [
  'Proposal attached',
  'Follow-up on our call',
  'Meeting notes',
  'Your question about pricing',
  'Contract draft',
  'Next steps',
  'Invitation to the product day',
  'Renewal in the next quarter',
  'Security questionnaire',
  'Thank you for your time',
];
export const todoTopics = [
  'Send quote',
  'Prepare demo',
  'Update forecast',
  'Check credit limit',
  'Send contract for signature',
  'Call back',
  'Ask for a reference',
  'Book travel',
  'Review the security questionnaire',
  'Clean up duplicates',
];
export const meetingTopics = [
  'Discovery meeting',
  'Product demo',
  'Quarterly business review',
  'Contract negotiation',
  'Kick-off',
  'On-site visit',
  'Technical deep dive',
  'Renewal talk',
];
export const places = ['Online', 'Their office', 'Our office, room 4', 'Trade fair, hall 7', ''];
export const caseTopics = [
  'Invoice is wrong',
  'Import fails',
  'Cannot sign in',
  'Delivery is late',
  'Question on the API',
  'Report shows no data',
  'Change of address',
  'Device is broken',
];
export const campaignTopics = [
  'Product day',
  'Spring webinar',
  'Autumn trade fair',
  'Renewal campaign',
  'Partner roadshow',
  'Newsletter',
  'Customer survey',
  'Launch',
];
export const dispositions = ['Connected', 'Left voicemail', 'No answer', 'Busy', 'Wrong number', 'Call back later'];
export const sentences = [
  'They compare us with one other vendor and want to decide this month.',
  'The budget is approved, but purchasing needs three offers.',
  'Main concern is the effort of the migration; asked for a plan with dates.',
  'Happy with the pilot so far. Two users still miss the export to spreadsheets.',
  'Asked whether the price includes support at weekends.',
  'Decision maker is on leave until the end of the month.',
  'They liked the idea of a fixed price and will come back with numbers.',
  'Legal wants to change clause 7; everything else is fine.',
  'Wants a reference from a company of the same size.',
  'Said: "send me something I can forward", so a one-pager is enough.',
  'No interest at the moment, try again next quarter.',
  'The invoice was paid twice, finance is looking into it.',
  'Next step: a demo for the whole team, about 12 people.',
  'They use the old version and did not know about the update.',
];
